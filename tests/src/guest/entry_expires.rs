//! An entry with a timeout of one second: the next packet of its flow finds it expired and gets another.

use std::{thread, time::Duration};

use anyhow::{Result, ensure};

use crate::lab::{Lab, Line, Trace, traffic};

/// After this time the entry has certainly expired, whatever jiffies round up.
const EXPIRED_AFTER: Duration = Duration::from_millis(1100);

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    lab.server.sysctl("net/netfilter/nf_conntrack_udp_timeout", "1")?;
    let (client, server) = traffic::udp(&lab, 9999)?;
    let port = i64::from(client.local_addr()?.port());
    let trace = Trace::start(&lab.server.name, &[])?;
    let ours = |line: &Line| line.number("/orig/sport") == Some(port);

    traffic::request(&client, &server)?;
    let first = trace.wait_for("the entry is confirmed", |line| {
        ours(line) && line.is_event("confirm")
    })?;
    // The time itself is the subject. No process removes the entry when it expires.
    thread::sleep(EXPIRED_AFTER);
    traffic::request(&client, &server)?;
    let deleted = trace.wait_for("the entry is deleted", |line| {
        ours(line) && line.is_event("delete")
    })?;
    ensure!(deleted.text("/kind") == "expired", "{deleted}");
    ensure!(deleted.number("/flow") == first.number("/flow"), "{deleted}");
    ensure!(!deleted.has("/requester/portid"), "{deleted}");
    let gone = trace.wait_for("the entry is destroyed", |line| {
        ours(line) && line.is_event("destroy")
    })?;
    ensure!(gone.text("/ct") == first.text("/ct"), "{gone}");
    ensure!(
        gone.number("/lifetime_ns").is_some_and(|ns| ns > 1_000_000_000),
        "{gone}"
    );
    let second = trace.wait_for("another entry is confirmed", |line| {
        ours(line) && line.is_event("confirm") && line.number("/flow") != first.number("/flow")
    })?;
    ensure!(second.number("/birth_ns") > first.number("/birth_ns"), "{second}");
    // The trace runs with --no-causes, long enough for causes to be attached without it.
    let ended = trace.stop()?;
    let has_causes = |line: &Line| line.text("/type") == "causes" || line.has("/why");
    ensure!(!ended.lines.iter().any(has_causes), "{}", ended.told());
    Ok(())
}
