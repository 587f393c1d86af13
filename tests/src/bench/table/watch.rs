//! Events of new flows at a rate at which `conntrack -E` loses some.

use std::{
    fs,
    net::{Ipv4Addr, UdpSocket},
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::{
    compare::Case,
    count_entries, machine,
    process::{self, Output, Run, StartedProcess},
    sections::Removed,
    word,
};
use crate::{lab::inside::inside, native::namespace::Namespace};

/// New flows per second.
const RATE: u32 = 100_000;
const SECONDS: u32 = 5;
/// Flows in one run.
pub const FLOWS: u32 = RATE * SECONDS;
const RUNS: usize = 3;
/// Packets per system call.
const AT_ONCE: u32 = 100;
/// Flows to one address.
const PORTS: u32 = 50_000;
const PATIENCE: Duration = Duration::from_secs(60);

/// A packet is tracked at the output hook and dropped right after, so that a flow costs the machine as little as
/// possible; it is confirmed by then, so its event is sent. The rule's match enables conntrack.
const RULES: &str = "ip link set lo up
tc qdisc replace dev lo root blackhole
iptables -A FORWARD -m conntrack --ctstate INVALID";

/// Measures; returns the number of missed targets.
pub fn measure(rsct: &str) -> Result<u32> {
    let cases = [
        Case::new("conntrack -E", &["conntrack", "-E"]),
        Case::new("rsct watch -o json", &[rsct, "watch", "-o", "json"]),
    ];
    println!(
        "\nEvents of {RATE} new flows a second for {SECONDS} s (UDP packets, each to another port or address and \
         swallowed once its entry is confirmed; output into a file in memory; {RUNS} runs each):\n"
    );
    println!(
        "{:<42} {:>9} {:>9} {:>9} {:>10}",
        "", "flows/s", "flows", "lost", "peak MiB"
    );
    let mut lost_by_rsct = 0;
    for case in &cases {
        for _ in 0..RUNS {
            let watched = watch(case)?;
            let lost = u64::from(FLOWS).saturating_sub(watched.told);
            println!(
                "{:<42} {:>9.0} {FLOWS:>9} {lost:>9} {:>10.1}",
                case.name,
                f64::from(FLOWS) / watched.sent_in.as_secs_f64(),
                watched.run.peak_kib as f64 / 1024.0,
            );
            if case.line[0] == rsct {
                lost_by_rsct += lost;
            }
        }
    }
    let met = lost_by_rsct == 0;
    println!("    {lost_by_rsct} lost by rsct, target 0: {}", word(met));
    Ok(u32::from(!met))
}

struct Watched {
    told: u64,
    sent_in: Duration,
    run: Run,
}

fn watch(case: &Case) -> Result<Watched> {
    // A new namespace each time: the watch would report the last run's entries as they expire.
    let namespace = Namespace::new("watch")?;
    namespace.sh(RULES)?;
    let file = Removed(PathBuf::from(format!(
        "/dev/shm/rsct-bench-{}.events",
        std::process::id()
    )));
    let watcher = process::start(&namespace.name, &case.line, Output::File(&file.0))?;
    subscribed(&watcher)?;
    let sent_in = inside(&namespace.name, "flows", || new_flows(FLOWS))?;
    at_rest(&file.0)?;
    watcher.signal(libc::SIGINT)?;
    let run = watcher.wait_for_signalled()?;
    Ok(Watched {
        told: count_entries(&file.0)? as u64,
        sent_in,
        run,
    })
}

/// Sends a packet each to this number of ports and addresses, at [`RATE`] or as near to it as the machine allows.
fn new_flows(count: u32) -> Result<Duration> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("open a socket")?;
    let start = Instant::now();
    for first in (0..count).step_by(AT_ONCE as usize) {
        machine::fail_if_interrupted()?;
        let due = Duration::from_secs(1) * first / RATE;
        if let Some(early) = due.checked_sub(start.elapsed()) {
            thread::sleep(early);
        }
        send(&socket, first)?;
    }
    Ok(start.elapsed())
}

/// Sends [`AT_ONCE`] packets in one call.
fn send(socket: &UdpSocket, first: u32) -> Result<()> {
    // SAFETY: plain integers, for which zero is a value.
    let mut addresses: [libc::sockaddr_in; AT_ONCE as usize] = unsafe { std::mem::zeroed() };
    // SAFETY: plain integers and pointers, for which zero is a value.
    let mut messages: [libc::mmsghdr; AT_ONCE as usize] = unsafe { std::mem::zeroed() };
    for ((address, message), number) in addresses.iter_mut().zip(&mut messages).zip(first..) {
        let to = Ipv4Addr::from_bits((127 << 24) + 2 + number / PORTS);
        let port = 1 + (number % PORTS) as u16;
        address.sin_family = libc::AF_INET as libc::sa_family_t;
        address.sin_port = port.to_be();
        address.sin_addr.s_addr = u32::from(to).to_be();
        message.msg_hdr.msg_name = (&raw mut *address).cast();
        message.msg_hdr.msg_namelen = size_of::<libc::sockaddr_in>() as libc::socklen_t;
    }
    let mut sent = 0;
    while sent < messages.len() {
        let rest = &mut messages[sent..];
        // SAFETY: the messages and the addresses that they point to outlive the call; they have no payload.
        let more = unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as u32, 0) };
        ensure!(more > 0, "send packets: {}", std::io::Error::last_os_error());
        sent += more as usize;
    }
    Ok(())
}

/// Waits until a program listens to conntrack's events.
fn subscribed(watcher: &StartedProcess) -> Result<()> {
    let path = format!("/proc/{}/net/netlink", watcher.id());
    let start = Instant::now();
    loop {
        let sockets = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let listens = |line: &str| {
            let mut fields = line.split_whitespace().skip(1);
            let protocol = fields.next();
            let groups = fields
                .nth(1)
                .and_then(|groups| u32::from_str_radix(groups, 16).ok());
            // NETLINK_NETFILTER, and the group of new entries.
            protocol == Some("12") && groups.is_some_and(|groups| groups & 1 != 0)
        };
        if sockets.lines().any(listens) {
            return Ok(());
        }
        ensure!(start.elapsed() < PATIENCE, "no program listens to events");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a file has not grown for a while.
fn at_rest(path: &Path) -> Result<()> {
    let start = Instant::now();
    let mut last = 0;
    loop {
        thread::sleep(Duration::from_millis(500));
        let size = fs::metadata(path)?.len();
        if size == last {
            return Ok(());
        }
        ensure!(
            start.elapsed() < PATIENCE,
            "{} never stops growing",
            path.display()
        );
        last = size;
    }
}
