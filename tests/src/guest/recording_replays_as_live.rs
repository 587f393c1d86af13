//! A recording answers as the running kernel did: `rsct trace`, `rsct why unreplied`, `rsct why FLOW` and `rsct list` read
//! a recording that was made beside their live runs.

use std::{
    net::SocketAddrV4,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{
    guest::ATTACH,
    lab::{Lab, Line, Trace, json, raw, recorder::Recorder, traffic},
    native::namespace::{output, rsct},
};

/// The kernel skips a kprobe's program while another session's runs on that CPU, and before Linux 6.7 does not count it: on
/// a busy machine the sessions then differ.
const TRIES_BY_KPROBE: u32 = 3;

pub fn run() -> Result<()> {
    let mut tries_left = match std::env::var(ATTACH).is_ok_and(|mode| mode == "kprobe") {
        true => TRIES_BY_KPROBE,
        false => 1,
    };
    loop {
        tries_left -= 1;
        match replays_as_live() {
            Err(error) if tries_left > 0 => println!("    once more: {error:#}"),
            result => return result,
        }
    }
}

fn replays_as_live() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?.with_lasting_udp()?;
    let there = &lab.server;
    let file = PathBuf::from(format!("/tmp/replay-{}.rsct", std::process::id()));
    there.sh("nfct add timeout udp-policy1 inet udp replied 300
        iptables -t raw -A PREROUTING -p udp --dport 9001 -j CT --timeout udp-policy1")?;
    // Known from the first dump.
    let (early, early_server) = traffic::udp(&lab, 9000)?;
    traffic::request(&early, &early_server)?;

    // A reply may arrive in any namespace.
    let recorder = Recorder::start("all", &file, &[])?;
    let trace = Trace::with_causes(&there.name, &[])?;
    let unreplied = Trace::of(why_unreplied(&there.name, &[]))?;
    traffic(&lab, || {
        traffic::request(&early, &early_server)?;
        traffic::reply(&early, &early_server)
    })?;
    let listed = there.conntrack(&[])?;
    let messages = recorder.stop()?;
    let unreplied = unreplied.stop()?;
    let trace = trace.stop()?;
    ensure!(messages.contains("0 records lost"), "{messages}");

    let replayed = replay(&file, &["trace", "-o", "json", "--netns", &there.name])?;
    same("trace", &events(&trace.lines), &events(&replayed))?;
    let summary = replayed.last().context("a summary")?;
    for figure in [
        "/packets",
        "/entry_events",
        "/inserted",
        "/deleted",
        "/invalid",
        "/dropped",
    ] {
        let live = trace.summary()?.number(figure);
        ensure!(
            summary.number(figure) == live,
            "{figure}: {live:?} live, but {summary}"
        );
    }
    // A filter of the replay selects what a filter of the kernel would have.
    let udp = replay(
        &file,
        &[
            "trace",
            "-o",
            "json",
            "--netns",
            &there.name,
            "-p",
            "udp",
            "--dport",
            "9001",
        ],
    )?;
    let of_policy = |lines: &[Line]| -> Vec<String> {
        let is_it = |line: &&Line| line.number("/orig/dport") == Some(9001);
        lines.iter().filter(is_it).map(plain).collect()
    };
    same("a filtered trace", &of_policy(&trace.lines), &events(&udp))?;

    let replayed = replay(&file, &["why", "unreplied", "-o", "json", "--netns", &there.name])?;
    let entries = |lines: &[Line]| -> Vec<String> {
        let is_it = |line: &&Line| line.text("/type") == "unreplied";
        lines.iter().filter(is_it).map(plain).collect()
    };
    let live = entries(&unreplied.lines);
    ensure!(!live.is_empty(), "no entry is unreplied\n{}", unreplied.told());
    same("why unreplied", &live, &entries(&replayed))?;

    let flow = format!(
        "udp src={} dst={} sport={} dport=9001",
        crate::lab::CLIENT,
        crate::lab::SERVER,
        of_policy_port(&trace.lines)?
    );
    let told = output(rsct_on(&file, &["why", "--netns", &there.name]).args(flow.split(' ')))?;
    let text = String::from_utf8_lossy(&told.stdout);
    ensure!(
        told.status.success()
            && text.contains("in the table at the start: no entry")
            && text.contains("created"),
        "rsct why {flow}:\n{text}"
    );

    let at_end = output(&mut rsct_on(&file, &["list", "--netns", &there.name]))?;
    let tuples = |text: &str| -> Vec<String> {
        let words = |line: &str| {
            let is_tuple = |word: &&str| word.contains('=') && !word.starts_with("use=");
            line.split(' ').filter(is_tuple).collect::<Vec<_>>().join(" ")
        };
        text.lines().map(words).collect()
    };
    same(
        "list",
        &tuples(&listed),
        &tuples(&String::from_utf8_lossy(&at_end.stdout)),
    )?;
    std::fs::remove_file(&file)?;
    Ok(())
}

/// Flows of each kind: with a policy, NATed by none, closed, INVALID, deleted.
fn traffic(lab: &Lab, early: impl Fn() -> Result<()>) -> Result<()> {
    early()?;
    let (governed, governed_server) = traffic::udp(lab, 9001)?;
    traffic::request(&governed, &governed_server)?;
    traffic::reply(&governed, &governed_server)?;
    traffic::request(&governed, &governed_server)?;
    let (unanswered, unanswering) = traffic::udp(lab, 9003)?;
    traffic::request(&unanswered, &unanswering)?;
    traffic::tcp(lab, crate::lab::SERVER, 8080, 8080)?;
    let to = SocketAddrV4::new([192, 168, 34, 11].into(), 9);
    // It has no cause, and it cannot be anything else.
    lab.on_client(|| raw::icmp(*to.ip(), 0, 0, &[0, 1, 0, 1]))?;
    let (deleted, deleting) = traffic::udp(lab, 9002)?;
    traffic::request(&deleted, &deleting)?;
    lab.server.sh("conntrack -D -p udp --dport 9002")?;
    Ok(())
}

fn why_unreplied(netns: &str, args: &[&str]) -> Command {
    let mut command = Command::new(rsct());
    command
        .args([
            "why",
            "unreplied",
            "--duration",
            "10m",
            "--netns",
            netns,
            "-o",
            "json",
        ])
        .args(args);
    if let Ok(mode) = std::env::var(ATTACH) {
        command.args(["--attach", &mode]);
    }
    command
}

fn rsct_on(file: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(rsct());
    command.args(args).arg("--input").arg(file);
    command
}

/// The JSON lines of a command on the recording.
fn replay(file: &Path, args: &[&str]) -> Result<Vec<Line>> {
    let output = output(&mut rsct_on(file, args))?;
    ensure!(
        output.status.success(),
        "rsct {args:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let values = json::values(&String::from_utf8_lossy(&output.stdout))?;
    Ok(values.into_iter().map(Line).collect())
}

/// The packets, entry events and causes.
fn events(lines: &[Line]) -> Vec<String> {
    let is_event = |line: &&Line| ["packet", "entry", "cause"].contains(&line.text("/type"));
    lines.iter().filter(is_event).map(plain).collect()
}

/// A line without what differs between two sessions of probes: times, addresses and numbers.
fn plain(line: &Line) -> String {
    let mut value = line.0.clone();
    strip(&mut value);
    value.to_string()
}

fn strip(value: &mut Value) {
    const DIFFER: [&str; 12] = [
        "time_ns",
        "duration_ns",
        "lifetime_ns",
        "cpu",
        "flow",
        "birth_ns",
        "timeout_ms",
        "timeout_s",
        "late",
        "first_ns",
        "last_ns",
        "why_pending",
    ];
    match value {
        Value::Object(object) => {
            object.retain(|key, _| !DIFFER.contains(&key.as_str()));
            object.values_mut().for_each(strip);
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        _ => {}
    }
}

fn of_policy_port(lines: &[Line]) -> Result<i64> {
    let is_it = |line: &&Line| line.number("/orig/dport") == Some(9001);
    let line = lines.iter().find(is_it).context("a packet to port 9001")?;
    line.number("/orig/sport").context("a source port")
}

/// Compares lines in any order: a softirq may come first in one session and last in the other.
fn same(what: &str, live: &[String], replayed: &[String]) -> Result<()> {
    let sorted = |lines: &[String]| {
        let mut lines = lines.to_vec();
        lines.sort();
        lines
    };
    let (live, replayed) = (sorted(live), sorted(replayed));
    let only = |these: &[String], others: &[String]| {
        let missing: Vec<&String> = these.iter().filter(|line| !others.contains(line)).collect();
        missing
            .iter()
            .map(|line| format!("  {line}\n"))
            .collect::<String>()
    };
    ensure!(
        live == replayed,
        "{what}: {} lines live, {} replayed\nonly live:\n{}only replayed:\n{}",
        live.len(),
        replayed.len(),
        only(&live, &replayed),
        only(&replayed, &live)
    );
    Ok(())
}
