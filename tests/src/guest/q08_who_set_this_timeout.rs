//! Question 8, which setting or task set this timeout: `rsct timeout why` names a policy, the namespace's sysctl, the
//! kernel's own reduction, a task in user space, and a fixed timeout, each for another entry. Each is compared with
//! ctnetlink's remaining time, the sysctl and the policy.

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

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    let there = &lab.server;
    there.sh("nfct add timeout q08 inet udp unreplied 450 replied 1450
        iptables -t raw -A PREROUTING -p udp --dport 8001 -j CT --timeout q08
        sysctl -qw net.netfilter.nf_conntrack_udp_timeout=660
        iptables -t raw -A OUTPUT -p tcp --sport 8004 -j DROP")?;
    there.create(
        "-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 8003 -t 500 -u FIXED_TIMEOUT
        -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 8005 -t 5000",
    )?;
    let (governed, governed_server) = traffic::udp(&lab, 8001)?;
    let (plain, plain_server) = traffic::udp(&lab, 8002)?;
    traffic::request(&governed, &governed_server)?;
    traffic::request(&plain, &plain_server)?;

    let before = [8001, 8002, 8005].map(|dport| listed(there, dport));
    let trace = Trace::of(why(there))?;
    // One segment in the middle of an unknown connection, sent again more often than the namespace allows.
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
    let after = [8001, 8002, 8005].map(|dport| listed(there, dport));
    let ended = trace.stop()?;
    ensure!(ended.status.success(), "{}", ended.told());
    let max_retrans = is_default(there, &shortened, "nf_conntrack_tcp_timeout_max_retrans")?;
    let whole = sysctl(there, "nf_conntrack_tcp_timeout_established")?;
    ensure!(
        left <= max_retrans && max_retrans < whole,
        "{left}s left, {max_retrans}s were given in place of {whole}s"
    );

    let of = |dport| {
        let is_it = |line: &&Line| line.has("/timeout_source") && line.number("/orig/dport") == Some(dport);
        let line = ended.lines.iter().find(is_it);
        line.with_context(|| format!("no entry of port {dport}\n{}", ended.told()))
    };
    let (policy, plain, by_hand) = (of(8001)?, of(8002)?, of(8005)?);
    ensure!(
        policy.text("/timeout_source/setter") == "policy" && policy.text("/timeout_source/policy") == "q08",
        "{policy}"
    );
    ensure!(policy.number("/timeout_source/value_s") == Some(450), "{policy}");
    let says = there.sh("nfct get timeout q08")?;
    ensure!(says.contains(".UNREPLIED = 450"), "{says}");
    is_default(there, plain, "nf_conntrack_udp_timeout")?;
    ensure!(
        by_hand.text("/timeout_source/setter") == "user_space",
        "{by_hand}"
    );
    for (((line, whole), before), after) in [(policy, 450), (plain, 660), (by_hand, 5000)]
        .into_iter()
        .zip(before)
        .zip(after)
    {
        let (before, after) = (before?, after?);
        let told = line.number("/timeout_s").context("the remaining time")?;
        ensure!(
            after <= told && told <= before && before <= whole,
            "ctnetlink had {before}s and then {after}s left of {whole}s: {line}"
        );
    }

    let fixed = of(8003)?;
    ensure!(fixed.text("/timeout_source/setter") == "fixed", "{fixed}");
    let shown = there.conntrack(&["-u", "FIXED_TIMEOUT"])?;
    ensure!(
        shown.lines().count() == 1 && shown.contains("dport=8003"),
        "{shown}"
    );
    Ok(())
}

/// rsct in the form of this run; the one function that listings attach to has more arguments than some kernels' fentry
/// supports, which rsct considers.
fn why(there: &Namespace) -> Command {
    let mut command = there.rsct(&["timeout", "why", "-o", "json"]);
    if let Ok(mode) = std::env::var(ATTACH) {
        command.args(["--attach", &mode]);
    }
    command
}

/// Remaining timeout that ctnetlink reports for the entry with this destination port.
fn listed(there: &Namespace, dport: u16) -> Result<i64> {
    let text = there.conntrack(&[])?;
    let line = text
        .lines()
        .find(|line| line.contains(&format!("dport={dport} ")))
        .with_context(|| format!("no entry of port {dport}\n{text}"))?;
    let left = line.split_whitespace().nth(2).context("a timeout")?;
    left.parse().with_context(|| line.to_owned())
}

/// Checks that a default is named, and that its value is the sysctl's; returns that value.
fn is_default(there: &Namespace, line: &Line, name: &str) -> Result<i64> {
    ensure!(line.text("/timeout_source/setter") == "default", "{line}");
    ensure!(
        line.text("/timeout_source/sysctl") == format!("net.netfilter.{name}"),
        "{line}"
    );
    let value = sysctl(there, name)?;
    ensure!(
        line.number("/timeout_source/value_s") == Some(value),
        "{name} is {value}: {line}"
    );
    Ok(value)
}

fn sysctl(there: &Namespace, name: &str) -> Result<i64> {
    let value = there.sh(&format!("sysctl -n net.netfilter.{name}"))?;
    value.trim().parse().with_context(|| format!("{name}: {value}"))
}
