//! A process sends; during the traversal of its packet, a softirq processes another flow's packet on the same CPU. Each
//! is reported with its own state.

use std::{
    fs,
    net::UdpSocket,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use anyhow::{Context as _, Result, anyhow, ensure};

use super::cpu;
use crate::lab::{CLIENT, Lab, Line, SERVER, Trace, trace::Ended, wait};

/// The flow that the process sends: long known, and answered.
const OURS: (&str, i64) = (SERVER, 4001);
/// The flow that the softirq processes: new, and never answered.
const THEIRS: (&str, i64) = ("192.168.35.12", 5001);
/// Packets of the second flow in a round, and the maximum of the first.
const PACKETS: usize = 1000;
/// Attempts.
const ROUNDS: usize = 15;

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    // Packets from the second pair are received on CPU 0, by whichever CPU they were sent; none is dropped in the queue
    // before conntrack.
    fs::write("/proc/sys/net/core/netdev_max_backlog", "100000")?;
    lab.client.with_devices(&format!(
        "ip link add eth1 type veth peer name eth1 netns {}
        ip addr add 192.168.35.12/24 dev eth1
        ip link set eth1 up
        echo 1 >/sys/class/net/eth1/queues/rx-0/rps_cpus",
        lab.server.name
    ))?;
    lab.server
        .sh("ip addr add 192.168.35.11/24 dev eth1; ip link set eth1 up")?;
    let ours_arrive = lab.on_server(|| Ok(UdpSocket::bind(OURS.0.to_owned() + ":4001")?))?;
    let theirs_arrive = lab.on_client(|| Ok(UdpSocket::bind(THEIRS.0.to_owned() + ":5001")?))?;
    lab.client.create(&format!(
        "-p udp -s {CLIENT} -d {SERVER} --sport 4000 --dport 4001 -t 120 -u SEEN_REPLY,ASSURED"
    ))?;
    // Until neighbours know each other, packets wait in a short queue.
    lab.on_client(|| first(&format!("{CLIENT}:4000"), &ours_arrive))?;
    lab.on_server(|| first("192.168.35.11:5000", &theirs_arrive))?;
    for _ in 0..ROUNDS {
        let trace = Trace::start(&lab.client.name, &["-p", "udp", "--ring-size", "65536"])?;
        let before = delivered(&lab)?;
        let sent = send(&lab)?;
        wait::until("conntrack has processed all of theirs", || {
            Ok(delivered(&lab)? >= before + PACKETS)
        })?;
        let ended = trace.stop()?;
        if judge(&ended, sent)? {
            return Ok(());
        }
    }
    Err(anyhow!(
        "in {ROUNDS} rounds no softirq ran within a traversal, so the test shows nothing"
    ))
}

/// Sends one datagram, and waits for it.
fn first(from: &str, to: &UdpSocket) -> Result<()> {
    to.set_read_timeout(Some(wait::DEADLINE))?;
    UdpSocket::bind(from)?.send_to(b"first", to.local_addr()?)?;
    to.recv(&mut [0; 8]).context("wait for the first datagram")?;
    Ok(())
}

/// Number of packets that the client's namespace has received after conntrack.
fn delivered(lab: &Lab) -> Result<usize> {
    let snmp = lab.on_client(|| Ok(fs::read_to_string("/proc/thread-self/net/snmp")?))?;
    let mut ip = snmp.lines().filter_map(|line| line.strip_prefix("Ip: "));
    let (names, values) = (ip.next().unwrap_or_default(), ip.next().unwrap_or_default());
    let mut both = names.split(' ').zip(values.split(' '));
    let (_, count) = both
        .find(|(name, _)| *name == "InDelivers")
        .with_context(|| format!("no InDelivers in {snmp}"))?;
    Ok(count.parse()?)
}

/// Sends both flows at once; returns the number of packets of the first.
fn send(lab: &Lab) -> Result<usize> {
    let theirs_are_out = AtomicBool::new(false);
    thread::scope(|scope| {
        let theirs = scope.spawn(|| {
            lab.on_server(|| {
                cpu::pin(1)?;
                let socket = UdpSocket::bind("192.168.35.11:5000")?;
                for _ in 0..PACKETS {
                    socket.send_to(b"theirs", "192.168.35.12:5001")?;
                }
                theirs_are_out.store(true, Ordering::Relaxed);
                Ok(())
            })
        });
        let ours = lab.on_client(|| {
            cpu::pin(0)?;
            let socket = UdpSocket::bind((CLIENT, 4000))?;
            let mut sent = 0;
            while sent < PACKETS && (sent == 0 || !theirs_are_out.load(Ordering::Relaxed)) {
                socket.send_to(b"ours", (SERVER, 4001))?;
                sent += 1;
            }
            Ok(sent)
        });
        theirs
            .join()
            .map_err(|_| anyhow!("the other sender panicked"))??;
        ours
    })
}

/// Compares every packet with the known state of its flow. Returns whether a packet of the second flow was processed
/// within one of the first.
fn judge(ended: &Ended, sent: usize) -> Result<bool> {
    let of = |(dst, dport): (&'static str, i64)| {
        move |line: &&Line| {
            line.is_packet() && line.text("/orig/dst") == dst && line.number("/orig/dport") == Some(dport)
        }
    };
    let ours: Vec<&Line> = ended.lines.iter().filter(of(OURS)).collect();
    let theirs: Vec<&Line> = ended.lines.iter().filter(of(THEIRS)).collect();
    let others: Vec<&Line> = ended
        .lines
        .iter()
        .filter(|line| line.is_packet() && !of(OURS)(line) && !of(THEIRS)(line))
        .collect();
    ensure!(
        others.is_empty(),
        "{} packets too many, the first of them: {}",
        others.len(),
        others[0]
    );
    // Each packet sets two minutes for the first flow, and half a minute for the second.
    let left_ms =
        |packet: &Line, when: &str| packet.number(&format!("{when}/timeout_ms")).unwrap_or_default();
    for packet in &ours {
        let own = ["/before", "/after"].iter().all(|when| {
            !packet.has(when)
                || packet.lists(&format!("{when}/status"), "ASSURED") && left_ms(packet, when) > 60_000
        });
        ensure!(
            own && packet.text("/hook") == "LOCAL_OUT",
            "ours, with something of another's: {packet}"
        );
    }
    for packet in &theirs {
        let own = ["/before", "/after"].iter().all(|when| {
            !packet.has(when)
                || !packet.lists(&format!("{when}/status"), "ASSURED") && left_ms(packet, when) <= 30_000
        });
        ensure!(
            own && packet.text("/hook") == "PRE_ROUTING",
            "theirs, with something of another's: {packet}"
        );
    }

    // The kernel does not run a program within itself: calls missed for that reason are counted, or a message reports
    // that the kernel does not count them.
    let summary = ended.summary()?;
    if summary.has("/skips_uncounted") {
        return Ok(nested(&ours, &theirs));
    }
    let figure = |path: &str| {
        summary
            .number(path)
            .with_context(|| format!("no {path}: {summary}"))
    };
    let skipped = usize::try_from(figure("/skipped")?)?;
    let seen = ours.len() + theirs.len();
    ensure!(
        seen <= sent + PACKETS && seen + skipped >= sent + PACKETS,
        "{sent} of ours and {PACKETS} of theirs were sent, {} and {} reported: {summary}",
        ours.len(),
        theirs.len()
    );
    let told = || ours.iter().chain(&theirs);
    let incomplete = told().filter(|packet| !packet.has("/duration_ns")).count();
    ensure!(
        figure("/incomplete")? == i64::try_from(incomplete)? && incomplete <= skipped,
        "{incomplete} packets came incomplete: {summary}"
    );
    let without_before = told().filter(|packet| !packet.has("/before")).count();
    ensure!(
        without_before <= skipped,
        "{without_before} packets came without their state before: {summary}"
    );

    Ok(nested(&ours, &theirs))
}

/// Returns whether a packet of the second flow was processed within one of the first.
fn nested(ours: &[&Line], theirs: &[&Line]) -> bool {
    let spans = |packets: &[&Line]| -> Vec<(i64, i64)> {
        packets
            .iter()
            .filter(|packet| packet.number("/cpu") == Some(0))
            .filter_map(|packet| {
                let entered = packet.number("/time_ns")?;
                Some((entered, entered + packet.number("/duration_ns")?))
            })
            .collect()
    };
    let mut passes = spans(ours);
    passes.sort_unstable();
    let nested = |&(entered, left): &(i64, i64)| {
        let last = passes.partition_point(|pass| pass.0 < entered).checked_sub(1);
        last.is_some_and(|index| left < passes[index].1)
    };
    spans(theirs).iter().any(nested)
}
