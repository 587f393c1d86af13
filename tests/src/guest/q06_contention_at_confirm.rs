//! Is there contention at confirm? One thread opens flows, and then several on both processors open the same number
//! while the table is resized, which acquires all of its locks: each flow is confirmed once, and the waits are
//! measured.

use std::{
    fs,
    net::UdpSocket,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};

use super::cpu;
use crate::lab::{
    CLIENT, Lab, Line, SERVER,
    counters::Counters,
    latency::{self, Measured},
    limit::{self, Limit},
};

const CONFIRM: &str = "__nf_conntrack_confirm";
const DOUBLE_LOCK: &str = "nf_conntrack_double_lock";
const LOCKS: &str = "nf_conntrack_locks";
/// Flows of each round.
const FLOWS: u16 = 400;
const CPUS: u16 = 2;
const THREADS: u16 = 4;
/// Alternating sizes of the table: large, as all of its locks are held while it is walked.
const BUCKETS: [u32; 2] = [65_536, 131_072];
/// Attempts to make them wait.
const ROUNDS: u16 = 30;

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    // None expires before it has been counted.
    lab.client
        .sysctl("net/netfilter/nf_conntrack_udp_timeout", "600")?;
    // The socket is not read: packets for its full buffer are dropped after conntrack.
    let _server = lab.on_server(|| Ok(UdpSocket::bind((SERVER, 9999))?))?;
    // Until neighbours know each other, packets wait in a short queue.
    lab.on_client(|| open(9_000, 1))?;
    let alone = round(&lab, 10_000, 1, false)?;
    let alone_waits = alone.total(LOCKS);
    let mut last = String::new();
    for number in 1..=ROUNDS {
        let together = round(&lab, 10_000 + number * FLOWS, THREADS, true)?;
        let Some(waits) = together.tally(LOCKS, "all") else {
            last = together.told();
            continue;
        };
        ensure!(waits.number("/durations_ns/sum") > Some(0), "{waits}");
        long_waits_are_reported(&together)?;
        // Alone, a thread waits only for garbage collection.
        ensure!(
            alone_waits <= 2,
            "one thread waited {alone_waits} times\n{}",
            alone.told()
        );
        return Ok(());
    }
    bail!("no thread waited for a lock in {ROUNDS} rounds, so the test shows nothing\n{last}")
}

/// A long wait is reported, with a stack that leads into the table.
fn long_waits_are_reported(together: &Measured) -> Result<()> {
    let mut slow = together
        .0
        .lines
        .iter()
        .filter(|line| line.text("/type") == "slow" && line.text("/function") == LOCKS);
    let waiting_to_confirm = |line: &Line| {
        let stack = line.0.pointer("/stack").and_then(|stack| stack.as_array());
        let names = stack.into_iter().flatten().filter_map(|name| name.as_str());
        names.into_iter().any(|name| name.contains("nf_conntrack"))
    };
    ensure!(
        slow.any(waiting_to_confirm),
        "no wait has a stack of conntrack\n{}",
        together.told()
    );
    Ok(())
}

/// Opens flows and measures; the number of confirmed entries is the growth of the kernel's count.
fn round(lab: &Lab, ports: u16, threads: u16, resizing: bool) -> Result<Measured> {
    let count = || -> Result<i64> {
        let count = lab.client.read("/proc/sys/net/netfilter/nf_conntrack_count")?;
        count.trim().parse().context("the number of entries")
    };
    let counters = Counters::of(&lab.client)?;
    let latency = latency::start(&lab.client.name, &["-p", "udp", "--slower-than", "1us"])?;
    let before = count()?;
    open_all(lab, ports, threads, resizing)?;
    let grown = count()? - before;
    ensure!(grown == i64::from(FLOWS), "{grown} entries came of {FLOWS} flows");
    counters.must_have_grown(&lab.client, &[])?;
    let measured = Measured::of(latency)?;
    let told = || measured.told();
    ensure!(measured.count(CONFIRM, "dropped") == 0, "{}", told());
    ensure!(measured.count(CONFIRM, "clash") == 0, "{}", told());
    // The kernel does not run a program within itself: calls missed for that reason are counted, or a message reports
    // that the kernel does not count them.
    let summary = measured.0.summary()?;
    let number = |path: &str| summary.number(path).unwrap_or(0);
    let missing = number("/skipped") + number("/unfinished");
    for (function, key) in [("nf_conntrack_in", "created"), (CONFIRM, "inserted")] {
        let seen = measured.count(function, key);
        ensure!(
            seen <= grown && (seen + missing >= grown || summary.has("/skips_uncounted") && seen > grown / 2),
            "{seen} of {grown} were {key}, {missing} may be missing\n{}",
            told()
        );
    }
    // If it is a function, it acquires both locks of an entry.
    if let Some(pairs) = measured.tally(DOUBLE_LOCK, "all") {
        ensure!(
            pairs.number("/durations_ns/count").unwrap_or(0) + missing >= measured.count(CONFIRM, "inserted"),
            "{pairs}"
        );
    }
    Ok(measured)
}

fn open_all(lab: &Lab, ports: u16, threads: u16, resizing: bool) -> Result<()> {
    let are_open = AtomicBool::new(false);
    let limit = resizing
        .then(|| Limit::set(limit::BUCKETS, BUCKETS[0]))
        .transpose()?;
    thread::scope(|scope| -> Result<()> {
        let resizer = limit.is_some().then(|| scope.spawn(|| resize_until(&are_open)));
        let each = FLOWS / threads;
        let senders: Vec<_> = (0..threads)
            .map(|number| {
                scope.spawn(move || {
                    lab.on_client(|| {
                        cpu::pin(usize::from(number % CPUS))?;
                        open(ports + number * each, each)
                    })
                })
            })
            .collect();
        let sent: Vec<_> = senders.into_iter().map(|sender| sender.join()).collect();
        are_open.store(true, Ordering::Relaxed);
        let resized = resizer.map(|resizer| resizer.join());
        for result in sent.into_iter().chain(resized) {
            result.map_err(|_| anyhow!("a thread panicked"))??;
        }
        Ok(())
    })
}

/// Alternates the table's size as long as flows are opened.
fn resize_until(are_open: &AtomicBool) -> Result<()> {
    for size in BUCKETS.into_iter().cycle() {
        if are_open.load(Ordering::Relaxed) {
            break;
        }
        fs::write(limit::BUCKETS, size.to_string()).context("resize the table")?;
    }
    Ok(())
}

/// Opens a flow from each of this number of ports.
fn open(first: u16, count: u16) -> Result<()> {
    for port in first..first + count {
        UdpSocket::bind((CLIENT, port))?.send_to(b"one more", (SERVER, 9999))?;
    }
    Ok(())
}
