//! How late does garbage collection reap? Entries expire at a known moment, and the kernel's own count drops at
//! another: the report of the collector's runs agrees with both, and entries that a dump reaps are not attributed to
//! it.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    lab::{
        Lab, Line, Trace,
        latency::{self, Measured},
        wait,
    },
    native::{dying_are_listed::load, namespace::Namespace},
};

/// Entries that expire, and stay until the collector's run.
const EXPIRING: i64 = 30;
/// Entries that do not expire.
const STAYING: i64 = 4;
/// Entries that expire and that a dump finds first.
const DUMPED: i64 = 5;
/// Lifetime of those that expire.
const LIFE: Duration = Duration::from_secs(2);
/// The collector rests for at most a minute (GC_SCAN_INTERVAL_MAX); its run may then be slow here.
const GC_INTERVAL: Duration = Duration::from_secs(60);
const PATIENCE: Duration = Duration::from_secs(180);
/// Lag of an emulated processor.
const LAG: Duration = Duration::from_secs(2);

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    let buckets = std::fs::read_to_string("/sys/module/nf_conntrack/parameters/hashsize")?;
    let buckets: i64 = buckets.trim().parse().context("the table's size")?;
    let destroyed = destroy_events(&lab.server)?;
    let latency = latency::start(&lab.server.name, &[])?;
    let before = count(&lab.server)?;
    create(&lab.server, "17", STAYING, 600)?;
    let first_expires = Instant::now() + LIFE;
    create(&lab.server, "6", EXPIRING, LIFE.as_secs())?;
    let last_expires = Instant::now() + LIFE;
    // Entries of another namespace do not count.
    create(&lab.client, "6", EXPIRING, LIFE.as_secs())?;
    let [still_there, gone] = dropped_to(&lab.server, before + STAYING)?;
    let waited = still_there.saturating_duration_since(last_expires);
    let waited_at_most = gone.saturating_duration_since(first_expires);
    events(&destroyed, EXPIRING)?;

    // The collector has just run, and rests.
    create(&lab.server, "6", DUMPED, 1)?;
    // The time itself is the subject: no process removes an entry when it expires.
    thread::sleep(Duration::from_millis(1100));
    lab.server.sh("conntrack -L 2>/dev/null >/dev/null")?;
    events(&destroyed, EXPIRING + DUMPED)?;

    let measured = Measured::of(latency)?;
    let gc = measured.line("gc")?;
    let number = |path: &str| gc.number(path).with_context(|| format!("no {path}: {gc}"));
    ensure!(number("/reaped/sum")? == EXPIRING, "{gc}");
    ensure!(number("/late_jiffies/count")? == EXPIRING, "{gc}");
    ensure!(number("/evicted")? == 0, "{gc}");
    let runs = number("/runs")?;
    ensure!(runs >= 1 && number("/reaped/count")? == runs, "{gc}");
    ensure!(measured.total("gc_worker") == runs, "{}", measured.told());
    // The time at which the first of them expired is known, and the time at which the count had dropped.
    let hz = number("/hz")?;
    let late = |path: &str| -> Result<Duration> {
        let ms = number(path)? * 1000 / hz;
        Ok(Duration::from_millis(u64::try_from(ms)?))
    };
    let (most, half) = (late("/late_jiffies/max")?, late("/late_jiffies/p50")?);
    ensure!(
        most <= waited_at_most + LAG && most + LAG >= waited,
        "one went {most:?} late, and they were waited for {waited:?} to {waited_at_most:?}: {gc}"
    );
    ensure!(half <= most && most <= GC_INTERVAL + LAG, "{gc}");
    // A run visits at most the whole table, and the next run continues where it stopped.
    let (looked_at, in_one) = (number("/hash_buckets/sum")?, number("/hash_buckets/max")?);
    ensure!(
        0 < looked_at && in_one <= buckets && looked_at <= runs * buckets,
        "{runs} runs in a table of {buckets} buckets: {gc}"
    );
    Ok(())
}

/// Creates entries of a protocol whose ports no other traffic uses.
fn create(namespace: &Namespace, protonum: &str, count: i64, seconds: u64) -> Result<()> {
    let state = if protonum == "6" { "--state SYN_SENT" } else { "" };
    let entries: String = (0..count)
        .map(|port| {
            let port = 1000 + port;
            format!(
                "-I -p {protonum} -s 10.0.0.1 -d 10.0.1.1 --sport {port} --dport {seconds} {state} -t {seconds}\n"
            )
        })
        .collect();
    // By one process: on a busy host the first entry would expire before the last exists.
    load(namespace, &entries)
}

/// The kernel's own count of a namespace's entries, which reaps none.
fn count(namespace: &Namespace) -> Result<i64> {
    let count = namespace.read("/proc/sys/net/netfilter/nf_conntrack_count")?;
    count.trim().parse().context("the number of entries")
}

/// Waits until the count is this low; returns the last time with more entries, and the time of this count.
fn dropped_to(namespace: &Namespace, expected: i64) -> Result<[Instant; 2]> {
    let mut still_there = Instant::now();
    let end = still_there + PATIENCE;
    loop {
        let now = Instant::now();
        let count = count(namespace)?;
        if count <= expected {
            ensure!(count == expected, "{count} entries are left of {expected}");
            return Ok([still_there, Instant::now()]);
        }
        still_there = now;
        if now > end {
            bail!(
                "waited {PATIENCE:?} in vain until garbage collection leaves {expected} of {count} entries"
            );
        }
        thread::sleep(Duration::from_millis(50));
    }
}

fn destroy_events(namespace: &Namespace) -> Result<Trace> {
    Trace::of(namespace.rsct(&["watch", "-o", "json", "-e", "destroy", "-p", "tcp"]))
}

/// Waits until this number of entries has been reported as deleted, and no more.
fn events(watch: &Trace, expected: i64) -> Result<()> {
    let is_destroy = |line: &Line| line.text("/event") == "destroy";
    wait::until("their ends are reported", || {
        Ok(watch.count(is_destroy) >= expected)
    })?;
    let count = watch.count(is_destroy);
    ensure!(
        count == expected,
        "{count} entries are deleted, expected {expected}"
    );
    Ok(())
}
