//! What does a packet cost in nf_conntrack_in? A known number of packets opens a flow, belongs to one, is invalid, is
//! dropped or arrives with its entry: the same number is timed under each outcome, whatever the key.

use std::net::{SocketAddrV4, UdpSocket};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{
    guest::ATTACH,
    lab::{
        CLIENT, Lab, Line, SERVER,
        counters::Counters,
        inode,
        latency::{self, Measured, Recording},
        limit::{self, Limit},
        raw, traffic,
        wait::{self, DEADLINE},
    },
};

const IN: &str = "nf_conntrack_in";
/// Number of flows that are opened.
const FLOWS: i64 = 7;
/// Packets of the first flow after the one that opened it, and the same number of replies.
const MORE: i64 = 50;
/// Packets of no connection.
const INVALID: i64 = 5;
/// Packets for which the table has no capacity.
const DROPPED: i64 = 3;
/// Packets from the server to itself, of one flow: each traverses twice.
const LOOPED: i64 = 20;

/// Rounds at most: one with skipped programs is repeated.
const ROUNDS: u32 = 4;

pub fn run() -> Result<()> {
    for _ in 1..ROUNDS {
        match round() {
            Err(error) if has_skips(&error) => {}
            ended => return ended,
        }
    }
    round()
}

/// Returns whether the kernel skipped programs in the measurement that a message quotes: on a busy machine, kprobes of
/// several sessions run into each other, and the skipped ones count nothing.
fn has_skips(error: &anyhow::Error) -> bool {
    let said = error.to_string();
    let mut figures = said.split("\"skipped\":").skip(1);
    std::env::var(ATTACH).is_ok_and(|mode| mode == "kprobe") && figures.any(|figure| !figure.starts_with('0'))
}

fn round() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    let netns = &lab.server.name;
    let port = UdpSocketPair::open(&lab)?;
    // First: its dump locks every bucket, and each of these calls would be a slow one.
    let recording = Recording::start(netns, &[])?;
    // All at the same time: they must not disturb one another.
    let by_outcome = latency::start(netns, &["--slower-than", "1ns"])?;
    let by_proto = latency::start(netns, &["--by", "proto"])?;
    let by_hook = latency::start(netns, &["--by", "hook", "--interval", "200ms"])?;
    let by_cpu = latency::start(netns, &["--by", "cpu"])?;
    let by_netns = latency::start("all", &["--by", "netns"])?;
    let only_one = latency::start(netns, &["-p", "udp", "--sport", "5000"])?;
    let counters = Counters::of(&lab.server)?;
    play(&lab, &port)?;
    let grown = [("invalid", INVALID as u64), ("drop", DROPPED as u64)];
    counters.must_have_grown(&lab.server, &grown)?;

    let measured = Measured::of(by_outcome)?;
    let told = || measured.told();
    for (outcome, expected) in [
        // One more opens the flow that is looped.
        ("created", FLOWS + 1),
        ("tracked", 2 * MORE + LOOPED - 1),
        ("invalid", INVALID),
        ("dropped", DROPPED),
        ("untracked", 0),
    ] {
        let count = measured.count(IN, outcome);
        ensure!(
            count == expected,
            "{count} {outcome}, expected {expected}\n{}",
            told()
        );
    }
    let counts = measured.line("latency_counts")?;
    ensure!(
        counts.number("/tracked_already") == Some(LOOPED),
        "{LOOPED} packets come with their entry: {counts}"
    );
    ensure!(
        measured.count("__nf_conntrack_confirm", "inserted") == FLOWS + 1,
        "each flow is confirmed\n{}",
        told()
    );
    slow_calls_are_reported(&measured, inode(&lab.server)?)?;

    let total = measured.total(IN);
    recording_has_the_same(&recording.stop()?, &measured)?;
    let by_proto = Measured::of(by_proto)?;
    ensure!(by_proto.count(IN, "tcp") == INVALID, "{}", by_proto.told());
    ensure!(
        by_proto.count(IN, "udp") == total - INVALID,
        "{}",
        by_proto.told()
    );
    let by_hook = Measured::of(by_hook)?;
    ensure!(
        by_hook.count(IN, "LOCAL_OUT") == MORE + LOOPED,
        "{}",
        by_hook.told()
    );
    ensure!(by_hook.total(IN) == total, "{}", by_hook.told());
    intervals_add_up(&by_hook)?;
    let by_cpu = Measured::of(by_cpu)?;
    ensure!(by_cpu.total(IN) == total, "{}", by_cpu.told());
    let by_netns = Measured::of(by_netns)?;
    ensure!(by_netns.count(IN, netns) == total, "{}", by_netns.told());
    // The client saw the same flows, among them those that the full table of the server refused.
    let client = by_netns.count(IN, &lab.client.name);
    ensure!(client >= FLOWS + 2 * MORE, "{}", by_netns.told());
    let only_one = Measured::of(only_one)?;
    ensure!(only_one.total(IN) == 1 + 2 * MORE, "{}", only_one.told());
    ensure!(only_one.count(IN, "created") == 1, "{}", only_one.told());
    Ok(())
}

/// Each call was slower than a nanosecond: each is reported, with its flow and kernel stack.
fn slow_calls_are_reported(measured: &Measured, netns: i64) -> Result<()> {
    let told = || measured.told();
    let slow: Vec<&Line> = measured
        .0
        .lines
        .iter()
        .filter(|line| line.text("/type") == "slow" && line.text("/function") == IN)
        .collect();
    ensure!(
        i64::try_from(slow.len())? == measured.total(IN),
        "{} calls are reported\n{}",
        slow.len(),
        told()
    );
    for line in &slow {
        ensure!(line.number("/netns") == Some(netns), "{line}");
        ensure!(
            line.0
                .pointer("/stack")
                .and_then(Value::as_array)
                .is_some_and(|stack| stack.iter().any(|function| {
                    function
                        .as_str()
                        .is_some_and(|name| name.starts_with("nf_hook_slow+") || name.starts_with("ip_rcv+"))
                        || function
                            .as_str()
                            .is_some_and(|name| name.starts_with("__ip_local_out+"))
                })),
            "not the stack of a packet: {line}"
        );
    }
    let sum: i64 = slow.iter().filter_map(|line| line.number("/duration_ns")).sum();
    ensure!(
        sum == measured.total_ns(IN),
        "{sum} ns in all are reported\n{}",
        told()
    );
    let invalid = slow
        .iter()
        .find(|line| line.text("/outcome") == "invalid")
        .context("an invalid one is slow")?;
    ensure!(
        invalid.text("/orig/src") == CLIENT && invalid.number("/orig/dport") == Some(9),
        "{invalid}"
    );
    ensure!(invalid.text("/hook") == "PRE_ROUTING", "{invalid}");
    let sent = slow
        .iter()
        .find(|line| line.text("/hook") == "LOCAL_OUT")
        .context("a sent one is slow")?;
    ensure!(
        sent.number("/pid") == Some(i64::from(std::process::id())),
        "{sent}"
    );
    let summary = measured.0.summary()?;
    ensure!(summary.number("/lost_total") == Some(0), "{summary}");
    ensure!(summary.number("/unfinished") == Some(0), "{summary}");
    Ok(())
}

/// The recording that ran next to the measurement has the same numbers of calls.
fn recording_has_the_same(recorded: &Measured, measured: &Measured) -> Result<()> {
    let told = || format!("{}\n{}", recorded.told(), measured.told());
    for outcome in ["created", "tracked", "invalid", "dropped"] {
        let counts = (recorded.count(IN, outcome), measured.count(IN, outcome));
        ensure!(counts.0 == counts.1, "{counts:?} {outcome}\n{}", told());
    }
    for function in [IN, "__nf_conntrack_confirm"] {
        let counts = (recorded.total(function), measured.total(function));
        ensure!(counts.0 == counts.1, "{counts:?} {function}\n{}", told());
    }
    ensure!(
        recorded.line("latency_counts")?.number("/tracked_already") == Some(LOOPED),
        "{}",
        told()
    );
    // The last second is an interval too.
    let in_intervals = intervals(recorded);
    ensure!(in_intervals <= recorded.total(IN), "{}", told());
    Ok(())
}

/// Number of calls in all intervals.
fn intervals(measured: &Measured) -> i64 {
    measured
        .0
        .lines
        .iter()
        .filter(|line| line.text("/function") == IN && line.0.pointer("/whole") == Some(&Value::Bool(false)))
        .filter_map(|line| line.number("/durations_ns/count"))
        .sum()
}

/// The intervals add up to the total.
fn intervals_add_up(measured: &Measured) -> Result<()> {
    let in_intervals = intervals(measured);
    // The last interval is not over.
    ensure!(
        in_intervals <= measured.total(IN),
        "{in_intervals} in intervals\n{}",
        measured.told()
    );
    Ok(())
}

struct UdpSocketPair {
    client: UdpSocket,
    server: UdpSocket,
}

impl UdpSocketPair {
    /// Opens the flow that has more than one packet.
    fn open(lab: &Lab) -> Result<Self> {
        let client = lab.on_client(|| Ok(UdpSocket::bind((CLIENT, 5000))?))?;
        let server = lab.on_server(|| Ok(UdpSocket::bind((SERVER, 9999))?))?;
        client.set_read_timeout(Some(DEADLINE))?;
        server.set_read_timeout(Some(DEADLINE))?;
        Ok(Self { client, server })
    }
}

fn play(lab: &Lab, pair: &UdpSocketPair) -> Result<()> {
    let UdpSocketPair { client, server } = pair;
    traffic::request(client, server)?;
    for _ in 0..MORE {
        traffic::request(client, server)?;
        traffic::reply(client, server)?;
    }
    for port in 1..FLOWS {
        let port = 5000 + u16::try_from(port)?;
        let other = lab.on_client(|| Ok(UdpSocket::bind((CLIENT, port))?))?;
        traffic::request(&other, server)?;
    }
    let (from, to) = lab.on_server(|| {
        let to = UdpSocket::bind("127.0.0.1:7001")?;
        to.set_read_timeout(Some(DEADLINE))?;
        Ok((UdpSocket::bind("127.0.0.1:7000")?, to))
    })?;
    for _ in 0..LOOPED {
        traffic::request(&from, &to)?;
    }
    for sequence in 0..u32::try_from(INVALID)? {
        let from = SocketAddrV4::new([192, 168, 34, 12].into(), 4001);
        let to = SocketAddrV4::new([192, 168, 34, 11].into(), 9);
        lab.on_client(|| raw::tcp(from, to, raw::RST | raw::ACK, sequence))?;
    }
    full_table(lab, server)
}

/// New flows while the server's table is full. No entry may be dropped early for them.
fn full_table(lab: &Lab, server: &UdpSocket) -> Result<()> {
    lab.server.sh("conntrack -F 2>/dev/null")?;
    lab.server.create(
        "-p tcp -s 10.0.0.1 -d 10.0.1.1 --sport 1003 --dport 443 --state ESTABLISHED -t 300 -u SEEN_REPLY,ASSURED",
    )?;
    // The client does not track these.
    lab.client.sh(
        "nft add table inet no; nft 'add chain inet no out { type filter hook output priority raw; }'
        nft add rule inet no out udp sport 6000-6100 notrack",
    )?;
    let before = Counters::of(&lab.server)?.get("drop")?;
    let _tiny = Limit::set(limit::MAX, 1)?;
    for port in 0..DROPPED {
        let port = 6000 + u16::try_from(port)?;
        let socket = lab.on_client(|| Ok(UdpSocket::bind((CLIENT, port))?))?;
        traffic::send(&socket, b"full", server.local_addr()?)?;
    }
    wait::until("all have been dropped", || {
        Ok(Counters::of(&lab.server)?.get("drop")? >= before + DROPPED as u64)
    })
}
