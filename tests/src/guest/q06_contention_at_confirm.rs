//! Is there contention at confirm? As many flows are opened by one thread, and then by several on both processors while the
//! table is resized, which takes all of its locks: each is confirmed once, and it is measured how long they waited.

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
const FLOWS: u16 = 1200;
const CPUS: u16 = 2;
const THREADS: u16 = 4;
/// Sizes that the table is given in turn: large, as all of its locks are held while it is gone through.
const BUCKETS: [u32; 2] = [131_072, 262_144];
/// How often it is tried to have them wait.
const ROUNDS: u16 = 10;

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    // None expires before it has been counted.
    lab.client
        .sh("sysctl -qw net.netfilter.nf_conntrack_udp_timeout=600")?;
    // Nobody reads: what comes when it is full is dropped, behind conntrack.
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
        is_told_of(&together)?;
        // By itself a thread has nobody to wait for but garbage collection.
        ensure!(
            alone_waits <= 2,
            "one thread waited {alone_waits} times\n{}",
            alone.told()
        );
        return Ok(());
    }
    bail!("in {ROUNDS} rounds nobody waited for a lock, so nothing was shown\n{last}")
}

/// What waited long is told of, and that it was on its way into the table.
fn is_told_of(together: &Measured) -> Result<()> {
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
        "nothing that waited came by conntrack\n{}",
        together.told()
    );
    Ok(())
}

/// Opens flows and measures; as many are confirmed as the kernel has entries more.
fn round(lab: &Lab, ports: u16, threads: u16, resizing: bool) -> Result<Measured> {
    let count = || -> Result<i64> {
        let count = lab.client.sh("cat /proc/sys/net/netfilter/nf_conntrack_count")?;
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
    // The kernel does not run a program within itself: what is missing for that is counted, or it is said that nobody
    // counts it.
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
    // Where it is a function, an entry's two locks are taken by it.
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

/// Gives the table one size and then the other, for as long as flows are opened.
fn resize_until(are_open: &AtomicBool) -> Result<()> {
    for size in BUCKETS.into_iter().cycle() {
        if are_open.load(Ordering::Relaxed) {
            break;
        }
        fs::write(limit::BUCKETS, size.to_string()).context("resize the table")?;
    }
    Ok(())
}

/// Opens a flow from each of so many ports.
fn open(first: u16, count: u16) -> Result<()> {
    for port in first..first + count {
        UdpSocket::bind((CLIENT, port))?.send_to(b"one more", (SERVER, 9999))?;
    }
    Ok(())
}
