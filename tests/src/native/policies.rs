//! `rsct timeout policy`, compared with `nfct`, with rules and flows that use policies.

use std::net::UdpSocket;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{
    namespace::{Namespace, output, rsct, succeeds},
    timeouts::states,
};
use crate::{lab::inside::inside, sentence::one_sentence};

pub fn run() -> Result<()> {
    let namespace = Namespace::new("policies")?;
    agree(&namespace)?;
    let mut unprivileged = namespace.command("setpriv", &["--bounding-set=-all", "--inh-caps=-all", "--"]);
    unprivileged.arg(rsct()).args(["timeout", "policy", "list"]);
    one_sentence(
        &mut unprivileged,
        1,
        "run as root or with the capability CAP_NET_ADMIN",
    )
}

/// Checks the output, which does not depend on the kernel.
pub fn agree(namespace: &Namespace) -> Result<()> {
    made_as_by_nfct(namespace)?;
    used_by_rules(namespace)?;
    wrong(namespace)?;
    every_namespace(namespace)
}

/// A policy with a state of each protocol of this kernel is the same, whichever tool makes it.
fn made_as_by_nfct(namespace: &Namespace) -> Result<()> {
    let states = states(namespace)?;
    let mut before = "";
    let mut number = 0;
    for state in &states {
        let (Some(proto), Some(name)) = (state["proto"].as_str(), state["timeout_state"].as_str()) else {
            continue;
        };
        // nfct does not know sctp's newest states.
        if std::mem::replace(&mut before, proto) == proto && !matches!(name, "syn_sent2" | "replied") {
            continue;
        }
        for family in ["inet", "inet6"] {
            if matches!((proto, family), ("icmp", "inet6") | ("icmpv6", "inet")) {
                continue;
            }
            number += 1;
            let policy = format!("p{number}");
            namespace.sh(&format!("nfct add timeout {policy} {family} {proto} {name} 77"))?;
            let theirs = namespace.sh(&format!(
                "nfct get timeout {policy}; nfct delete timeout {policy}"
            ))?;
            let assignment = format!("{name}=77");
            let add = ["add", &policy, family, proto, &assignment, "-o", "nfct"];
            let ours = policy_output(namespace, &add)?;
            ensure!(ours == theirs, "rsct:\n{ours}nfct:\n{theirs}");
            ensure!(
                theirs == namespace.sh(&format!("nfct get timeout {policy}"))?,
                "{policy} is another for nfct"
            );
        }
    }
    let ours = policy_output(namespace, &["list", "-o", "nfct"])?;
    let theirs = namespace.sh("nfct list timeout")?;
    ensure!(ours == theirs, "rsct:\n{ours}nfct:\n{theirs}");
    let json = policy_output(namespace, &["list", "-o", "json"])?;
    ensure!(json.lines().count() == number, "{json}");
    let gone = policy_output(namespace, &["delete", "p1", "p2", "-o", "json"])?;
    // Flows are counted in listings, if probes can be attached.
    let without_flows = json.replace("\"flows\":0,", "");
    ensure!(
        without_flows.starts_with(&gone) && gone.lines().count() == 2,
        "{gone}"
    );
    policy_output(namespace, &["flush"])?;
    ensure!(
        namespace.sh("nfct list timeout")?.is_empty(),
        "flush has left something"
    );
    // `succeeds` checks that the first line is there.
    let none = policy_output(namespace, &["list", "-o", "json"])?;
    ensure!(none.is_empty(), "{none}");

    // SCTP's heartbeat_sent can be set, and replace keeps the states that it does not name.
    policy_output(
        namespace,
        &["add", "s", "ipv4", "sctp", "heartbeat_sent=1m", "closed=5"],
    )?;
    policy_output(namespace, &["replace", "s", "inet", "sctp", "established=9"])?;
    let got: Value = serde_json::from_str(&policy_output(namespace, &["get", "s", "-o", "json"])?)?;
    let expected = json!({
        "closed": 5, "cookie_wait": 3, "cookie_echoed": 3, "established": 9, "shutdown_sent": 3, "shutdown_recd": 3,
        "shutdown_ack_sent": 3, "heartbeat_sent": 60,
    });
    ensure!(got["values_s"] == expected && got["rules"] == 0, "{got}");
    policy_output(namespace, &["delete", "s"])?;
    Ok(())
}

/// Rules are counted, flows have the policy's timeouts, and a policy in use is not deleted.
fn used_by_rules(namespace: &Namespace) -> Result<()> {
    let line = policy_output(
        namespace,
        &["add", "udp-policy1", "inet", "udp", "unreplied=20", "replied=300"],
    )?;
    let expected = "NAME        FAMILY PROTO    RULES   USES  STATES\n\
                    udp-policy1 ipv4   udp          0      0  unreplied=20 replied=300\n";
    ensure!(line == expected, "{line}");
    let rules = |expected: u64| -> Result<()> {
        let got: Value =
            serde_json::from_str(&policy_output(namespace, &["get", "udp-policy1", "-o", "json"])?)?;
        ensure!(
            got["rules"] == expected,
            "{expected} rules, and rsct prints {got}"
        );
        Ok(())
    };
    namespace.sh("ip link set lo up; iptables -t raw -A OUTPUT -p udp -j CT --timeout udp-policy1")?;
    rules(1)?;
    namespace.sh("iptables -t raw -A PREROUTING -p udp --dport 7 -j CT --timeout udp-policy1")?;
    rules(2)?;

    let (from, to) = inside(&namespace.name, "flow", || {
        Ok((UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?))
    })?;
    let timeout_after_a_packet = || -> Result<u64> {
        from.send_to(b"hello", to.local_addr()?)?;
        to.recv_from(&mut [0; 8])?;
        let listed = namespace.list(&["-p", "udp", "-o", "json"])?;
        let entry: Value = serde_json::from_str(&listed).with_context(|| listed.clone())?;
        entry["timeout_s"].as_u64().with_context(|| listed)
    };
    let left = timeout_after_a_packet()?;
    ensure!(
        (10..=20).contains(&left),
        "the policy sets 20 seconds, and {left} are left"
    );
    // A flow with the policy is no rule, although newer kernels count it as a use.
    rules(2)?;
    policy_output(
        namespace,
        &["replace", "udp-policy1", "inet", "udp", "unreplied=200"],
    )?;
    let left = timeout_after_a_packet()?;
    ensure!(
        (190..=200).contains(&left),
        "the policy sets 200 seconds, and {left} are left"
    );
    rules(2)?;

    policy_output(namespace, &["add", "free", "inet6", "tcp", "close=5"])?;
    let delete = |names: &[&str]| namespace.rsct(&[&["timeout", "policy", "delete"], names].concat());
    let held = "2 rules use it; `rsct timeout rules udp-policy1` lists the rules";
    one_sentence(&mut delete(&["free", "udp-policy1"]), 1, held)?;
    one_sentence(
        &mut delete(&["free", "missing"]),
        1,
        "there is no policy of this name; policies are: udp-policy1, free",
    )?;
    let flushed = output(&mut namespace.rsct(&["timeout", "policy", "flush"]))?;
    let (shown, said) = (
        String::from_utf8(flushed.stdout)?,
        String::from_utf8(flushed.stderr)?,
    );
    ensure!(
        shown.contains("\nfree ") && !shown.contains("udp-policy1"),
        "{shown}"
    );
    ensure!(
        said == format!(
            "rsct: udp-policy1 is not deleted: {held}\nrsct: 1 timeout policy has been deleted.\n"
        ),
        "{said}"
    );
    namespace.sh("iptables -t raw -F")?;
    rules(0)?;
    succeeds(&mut delete(&["udp-policy1"]))?;
    ensure!(
        namespace.sh("nfct list timeout")?.is_empty(),
        "the policy is still there"
    );
    Ok(())
}

fn wrong(namespace: &Namespace) -> Result<()> {
    policy_output(namespace, &["add", "there", "inet", "udp", "replied=5"])?;
    let before = namespace.sh("nfct list timeout")?;
    let long = "add 0123456789012345678901234567890x inet udp replied=5";
    for (args, code, sentence) in [
        (
            "add there inet udp replied=6",
            1,
            "a policy of this name exists already; `rsct timeout policy replace`",
        ),
        (
            "replace missing inet udp replied=6",
            1,
            "there is no policy of this name; policies are: there",
        ),
        ("replace there inet6 udp replied=6", 1, "it is for udp over ipv4"),
        ("replace there inet tcp close=6", 1, "it is for udp over ipv4"),
        (
            "get missing",
            1,
            "there is no policy of this name; policies are: there",
        ),
        (
            "delete missing",
            1,
            "there is no policy of this name; policies are: there",
        ),
        ("delete there there", 2, "the name is given twice"),
        ("delete", 2, "<NAME>"),
        (
            "add x inet udp",
            2,
            "no state is given: a policy needs at least one STATE=SECS; udp has unreplied, replied",
        ),
        ("add x inet udp assured=5", 2, "it has unreplied, replied"),
        (
            "add x inet ipx timeout=5",
            2,
            "protocols are tcp, udp, udplite, icmp",
        ),
        ("add x ipx udp replied=5", 2, "expected an address family"),
        ("add x inet6 icmp timeout=5", 2, "runs only over ipv4"),
        (
            "add x inet udp replied=0",
            2,
            "0 would make entries expire at once",
        ),
        (
            "add x inet udp replied=4000000000",
            2,
            "the longest timeout of this kernel",
        ),
        ("add x inet udp replied=-5", 2, "negative"),
        (long, 2, "a policy's name has 1 to 31 bytes, and this has 32"),
        ("add a\nb inet udp replied=5", 2, "without control characters"),
        ("list --netns no-such-one", 1, "no such name under /run/netns"),
    ] {
        let args: Vec<&str> = ["timeout", "policy"].into_iter().chain(args.split(' ')).collect();
        one_sentence(&mut namespace.rsct(&args), code, sentence)?;
    }
    let states = states(namespace)?;
    for (proto, assignment) in [("dccp", "open=5"), ("udplite", "replied=5")] {
        if !states.iter().any(|state| state["proto"] == proto) {
            one_sentence(
                &mut namespace.rsct(&["timeout", "policy", "add", "x", "inet", proto, assignment]),
                1,
                "this kernel has no handler for the protocol",
            )?;
        }
    }
    ensure!(
        namespace.sh("nfct list timeout")? == before,
        "what is wrong changed something"
    );
    policy_output(namespace, &["delete", "there"])?;
    one_sentence(
        &mut namespace.rsct(&["timeout", "policy", "get", "there"]),
        1,
        "there is no policy of this name; there are no policies",
    )
}

/// Policies are each namespace's own.
fn every_namespace(namespace: &Namespace) -> Result<()> {
    let other = Namespace::new("other")?;
    for namespace in [namespace, &other] {
        policy_output(namespace, &["add", &namespace.name, "inet", "gre", "replied=5"])?;
    }
    let all = succeeds(
        std::process::Command::new(rsct())
            .args(["timeout", "policy", "list", "--netns", "all", "-o", "json"]),
    )?;
    for namespace in [namespace, &other] {
        let mut of = Vec::new();
        for line in all.lines() {
            let policy: Value = serde_json::from_str(line)?;
            if policy["netns_name"] == namespace.name {
                of.push(policy["policy"].clone());
            }
        }
        ensure!(of == [Value::from(namespace.name.as_str())], "{all}");
        policy_output(namespace, &["delete", &namespace.name])?;
    }
    Ok(())
}

/// Output of `rsct timeout policy`.
fn policy_output(namespace: &Namespace, args: &[&str]) -> Result<String> {
    succeeds(&mut namespace.rsct(&[&["timeout", "policy"], args].concat()))
}
