//! A timeout policy is attached to UDP: new flows live for 30 seconds without a reply and for 300 once they are
//! ASSURED, which every tool shows. Detached and deleted, it leaves nothing.

use std::{
    net::UdpSocket,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    lab::{Lab, Line, Trace, traffic},
    native::{
        namespace::{Namespace, succeeds},
        table::same_but_for_time,
    },
};

/// A UDP entry becomes a stream when it is older than this (net/netfilter/nf_conntrack_proto_udp.c).
const STREAM_AFTER: Duration = Duration::from_millis(2100);

pub const POLICY: &str = "udp-policy1";
/// The policy in the output of `nfct list timeout`.
const LISTED: &str = ".udp-policy1 = {
\t.l3proto = 2,
\t.l4proto = 17,
\t.policy = {
\t\t.UNREPLIED = 30,
\t\t.REPLIED = 300,
\t},
};
";

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    let before = state(&lab.server)?;
    timeout(
        &lab.server,
        &["policy", "add", POLICY, "inet", "udp", "replied=300"],
    )?;
    let listed = lab.server.sh("nfct list timeout")?;
    ensure!(listed == LISTED, "{listed}");

    timeout(
        &lab.server,
        &["attach", POLICY, "--hook", "prerouting", "-p", "udp"],
    )?;
    let shown = lab.server.sh("iptables -t raw -S")?;
    ensure!(shown.lines().any(is_the_rule), "{shown}");
    let rules = timeout(&lab.server, &["rules", POLICY])?;
    ensure!(
        rules.contains("udp-policy1  rsct     iptables -t raw -A PREROUTING -p udp "),
        "{rules}"
    );
    let trace = Trace::start(&lab.server.name, &[])?;
    let port = exchange(&lab, 8888, [30, 300])?;
    traced(&trace, port)?;
    trace.stop()?;

    timeout(&lab.server, &["detach", POLICY])?;
    timeout(&lab.server, &["policy", "delete", POLICY])?;
    let after = state(&lab.server)?;
    ensure!(after == before, "{after}\nis left, where before was\n{before}");
    Ok(())
}

/// All state that attaching a policy could leave.
pub fn state(namespace: &Namespace) -> Result<String> {
    namespace
        .sh("iptables -t raw -S; ip6tables -t raw -S; nfct list timeout; nft list tables | grep rsct || true")
}

pub fn timeout(namespace: &Namespace, args: &[&str]) -> Result<String> {
    succeeds(&mut namespace.rsct(&[&["timeout"], args].concat()))
}

/// Kernels before the fix of 2026 return four bytes of the name (net/netfilter/xt_CT.c, `usersize`).
fn is_the_rule(line: &str) -> bool {
    let ends = |name: &str| line.ends_with(&format!(" -j CT --timeout {name}"));
    line.starts_with("-A PREROUTING -p udp ") && (ends(POLICY) || ends(&POLICY[..4]))
}

/// Client and server exchange UDP until their entry is ASSURED; its listings show these timeouts, while it is UNREPLIED
/// and at the end. Returns the client's port.
pub fn exchange(lab: &Lab, port: u16, [unreplied, assured]: [u64; 2]) -> Result<i64> {
    let (client, server): (UdpSocket, UdpSocket) = traffic::udp(lab, port)?;
    let asked = Instant::now();
    traffic::request(&client, &server)?;
    listings_agree(lab, "[UNREPLIED]", unreplied, asked)?;
    traffic::reply(&client, &server)?;
    // The time itself is the subject: no event marks its end.
    thread::sleep(STREAM_AFTER);
    let asked = Instant::now();
    traffic::request(&client, &server)?;
    listings_agree(lab, "[ASSURED]", assured, asked)?;
    lab.server.sh("conntrack -D -p udp")?;
    Ok(i64::from(client.local_addr()?.port()))
}

/// Checks that rsct and conntrack list the only entry in this state, with the rest of this timeout, which began after
/// `since`.
fn listings_agree(lab: &Lab, state: &str, seconds: u64, since: Instant) -> Result<()> {
    let ours = lab.server.list(&["-p", "udp"])?;
    let theirs = lab.server.conntrack(&["-p", "udp"])?;
    let least = seconds.saturating_sub(since.elapsed().as_secs() + 1);
    same_but_for_time(&ours, &theirs)?;
    for listing in [&ours, &theirs] {
        let left = listing.split_whitespace().nth(2);
        let left: u64 = left
            .with_context(|| format!("no timeout: {listing:?}"))?
            .parse()?;
        ensure!(
            listing.lines().count() == 1 && listing.contains(state) && (least..=seconds).contains(&left),
            "{listing}\nwhere {state} and {least} to {seconds} s are expected"
        );
    }
    Ok(())
}

/// The trace shows both timeouts.
fn traced(trace: &Trace, port: i64) -> Result<()> {
    let ours = |line: &Line| line.number("/orig/sport") == Some(port);
    let created = trace.wait_for("the entry is created", |line| {
        ours(line) && line.is_outcome("created")
    })?;
    ensure!(created.is_about_seconds("/after/timeout_ms", 30), "{created}");
    let assured = trace.wait_for("the entry is assured", |line| ours(line) && line.sets("ASSURED"))?;
    ensure!(assured.is_about_seconds("/after/timeout_ms", 300), "{assured}");
    for line in [&created, &assured] {
        ensure!(line.text("/timeout_source/policy") == POLICY, "{line}");
    }
    Ok(())
}
