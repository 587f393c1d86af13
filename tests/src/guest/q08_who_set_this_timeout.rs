//! Question 8, who set this timeout: `rsct timeout why` says of entries side by side that a policy did, the namespace's
//! sysctl, the kernel's own reduction, a task by hand, and that one is fixed. Each is held against what ctnetlink has left
//! of it, and against the sysctl and the policy.

use std::{
    net::{Ipv4Addr, SocketAddrV4},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    guest::ATTACH,
    lab::{CLIENT, Lab, Line, SERVER, Trace, raw, traffic},
    native::namespace::Namespace,
};

/// As far as an emulated processor may lag.
const LAG_SECONDS: i64 = 10;

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    let there = &lab.server;
    there.sh("nfct add timeout q08 inet udp unreplied 45 replied 145
        iptables -t raw -A PREROUTING -p udp --dport 8001 -j CT --timeout q08
        sysctl -qw net.netfilter.nf_conntrack_udp_timeout=66
        iptables -t raw -A OUTPUT -p tcp --sport 8004 -j DROP")?;
    there.create(
        "-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 8003 -t 500 -u FIXED_TIMEOUT
        -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 8005 -t 5000",
    )?;
    let (governed, governed_server) = traffic::udp(&lab, 8001)?;
    let (plain, plain_server) = traffic::udp(&lab, 8002)?;
    traffic::ask(&governed, &governed_server)?;
    traffic::ask(&plain, &plain_server)?;

    let trace = Trace::of(why(there))?;
    // One segment of a connection that nobody has seen begin, sent again more often than the namespace allows.
    let somewhere = SocketAddrV4::new(CLIENT.parse::<Ipv4Addr>()?, 7777);
    let nobody = SocketAddrV4::new(SERVER.parse::<Ipv4Addr>()?, 8004);
    for _ in 0..5 {
        lab.on_client(|| raw::tcp(somewhere, nobody, raw::ACK, 1))?;
    }
    let shortened = trace.wait_for("the kernel shortens a timeout", |line| {
        line.is_packet()
            && line.number("/orig/dport") == Some(8004)
            && line.text("/timeout_source/reduction") == "retransmissions"
    })?;
    let left = listed(there, 8004)?;
    let ended = trace.stop()?;
    ensure!(ended.status.success(), "{}", ended.told());
    is_default(there, &shortened, "nf_conntrack_tcp_timeout_max_retrans", left)?;
    let whole: i64 = there
        .sh("sysctl -n net.netfilter.nf_conntrack_tcp_timeout_established")?
        .trim()
        .parse()?;
    ensure!(left < whole, "{left}s left of {whole}s: nothing was shortened");

    let of = |dport| {
        let is_it = |line: &&Line| line.has("/timeout_source") && line.number("/orig/dport") == Some(dport);
        let line = ended.lines.iter().find(is_it);
        line.with_context(|| format!("no entry of port {dport}\n{}", ended.told()))
    };
    let policy = of(8001)?;
    ensure!(
        policy.text("/timeout_source/kind") == "policy" && policy.text("/timeout_source/policy") == "q08",
        "{policy}"
    );
    ensure!(
        policy.number("/timeout_source/value_seconds") == Some(45),
        "{policy}"
    );
    is_within(listed(there, 8001)?, 45)?;
    let says = there.sh("nfct get timeout q08")?;
    ensure!(says.contains(".UNREPLIED = 45"), "{says}");

    is_default(there, of(8002)?, "nf_conntrack_udp_timeout", listed(there, 8002)?)?;
    let fixed = of(8003)?;
    ensure!(fixed.text("/timeout_source/kind") == "fixed", "{fixed}");
    let shown = there.conntrack(&["-u", "FIXED_TIMEOUT"])?;
    ensure!(
        shown.lines().count() == 1 && shown.contains("dport=8003"),
        "{shown}"
    );
    let by_hand = of(8005)?;
    ensure!(by_hand.text("/timeout_source/kind") == "by_hand", "{by_hand}");
    is_within(listed(there, 8005)?, 5000)
}

/// rsct as it is to attach in this run; the one function that listings attach to has more arguments than some kernels'
/// fentry takes, and rsct minds that.
fn why(there: &Namespace) -> Command {
    let mut command = there.rsct(&["timeout", "why", "-o", "json"]);
    if let Ok(mode) = std::env::var(ATTACH) {
        command.args(["--attach", &mode]);
    }
    command
}

/// What ctnetlink says is left of the timeout of the entry with this destination port.
fn listed(there: &Namespace, dport: u16) -> Result<i64> {
    let text = there.conntrack(&[])?;
    let line = text
        .lines()
        .find(|line| line.contains(&format!("dport={dport} ")))
        .with_context(|| format!("no entry of port {dport}\n{text}"))?;
    let left = line.split_whitespace().nth(2).context("a timeout")?;
    left.parse().with_context(|| line.to_owned())
}

/// Whether a default is named, its value is the sysctl's, and ctnetlink has about as much.
fn is_default(there: &Namespace, line: &Line, sysctl: &str, left: i64) -> Result<()> {
    ensure!(line.text("/timeout_source/kind") == "default", "{line}");
    ensure!(line.text("/timeout_source/sysctl") == sysctl, "{line}");
    let value: i64 = there
        .sh(&format!("sysctl -n net.netfilter.{sysctl}"))?
        .trim()
        .parse()?;
    ensure!(
        line.number("/timeout_source/value_seconds") == Some(value),
        "{sysctl} is {value}: {line}"
    );
    is_within(left, value)
}

fn is_within(left: i64, value: i64) -> Result<()> {
    ensure!(
        (value - LAG_SECONDS..=value).contains(&left),
        "ctnetlink has {left}s left of {value}s"
    );
    Ok(())
}
