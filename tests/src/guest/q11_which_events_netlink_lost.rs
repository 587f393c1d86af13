//! Question 11: which events did netlink lose? A listener with a tiny buffer that does not read, and one for which the
//! kernel keeps the undelivered events.

use anyhow::{Result, ensure};

use crate::lab::{
    Lab, Line, SERVER, Why, clash,
    listener::{DESTROY, Listener, NEW},
    traffic,
    wait::until,
};

const FLOWS: u16 = 40;

pub fn run() -> Result<()> {
    overrun()?;
    kept()
}

fn overrun() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    let listener = Listener::open(&lab.server, &[NEW], false)?;
    let why = Why::start("lost", &lab.server.name, &["--top", "40"])?;
    flows(&lab)?;
    let drops = listener.drops(&lab.server)?;
    let (read, lost) = listener.read()?;
    ensure!(
        drops > 0 && lost && read + drops == u64::from(FLOWS),
        "{read} events came and {drops} were lost of {FLOWS}"
    );
    let answer = why.answer()?;
    let overrun = answer.met("overrun", i64::try_from(drops)?)?;
    is_ours(&overrun, &listener, "new", drops)?;
    // The last flow's event is one of them.
    let last = 4000 + i64::from(FLOWS) - 1;
    ensure!(
        (0..FLOWS).any(|n| overrun.number(&format!("/top_flows/{n}/orig/sport")) == Some(last)),
        "{overrun}"
    );
    ensure!(
        answer.counter("netlink_drops") == Some(i64::try_from(drops)?),
        "{}",
        answer.told
    );
    answer.agrees()
}

fn kept() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?.with_lasting_udp()?;
    // Entries that are made without a listener have no events.
    let listener = Listener::open(&lab.server, &[DESTROY], true)?;
    flows(&lab)?;
    let why = Why::start("lost", &lab.server.name, &["--top", "40"])?;
    // Each of them is out of the table, but some cannot be freed before their event is delivered.
    lab.server.sh("conntrack -D -p udp 2>&1")?;
    let drops = listener.drops(&lab.server)?;
    let dying = lab.server.sh("conntrack -L dying 2>/dev/null")?.lines().count() as u64;
    ensure!(
        drops > 0 && dying > 0,
        "{drops} events could not be delivered, {dying} entries wait"
    );
    let mut read = 0;
    until("all events have arrived", || {
        let (more, lost) = listener.read()?;
        ensure!(!lost, "the kernel reported a loss to the listener");
        read += more;
        Ok(read == u64::from(FLOWS))
    })?;
    until("no entry waits", || {
        Ok(lab.server.sh("conntrack -L dying 2>/dev/null")?.is_empty())
    })?;
    let drops = listener.drops(&lab.server)?;
    let answer = why.answer()?;
    let kept = answer.met("deferred", i64::try_from(drops)?)?;
    is_ours(&kept, &listener, "destroy", drops)?;
    answer.agrees()
}

/// Checks that the listener is named, with the events that it lost.
fn is_ours(line: &Line, listener: &Listener, event: &str, drops: u64) -> Result<()> {
    ensure!(
        line.number("/listeners/0/portid") == Some(i64::from(listener.port()))
            && line.text("/listeners/0/event") == event
            && line.number("/listeners/0/count") == Some(i64::try_from(drops)?),
        "{line}"
    );
    let program = std::fs::read_to_string("/proc/self/comm")?;
    ensure!(line.text("/listeners/0/progname") == program.trim(), "{line}");
    Ok(())
}

fn flows(lab: &Lab) -> Result<()> {
    let server = lab.on_server(|| Ok(std::net::UdpSocket::bind((SERVER, 53))?))?;
    server.set_read_timeout(Some(crate::lab::wait::DEADLINE))?;
    for n in 0..FLOWS {
        traffic::send(&clash::socket(lab, 4000 + n)?, b"one of many", (SERVER, 53))?;
        server.recv_from(&mut [0; 16])?;
    }
    Ok(())
}
