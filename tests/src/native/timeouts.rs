//! `rsct timeout show` and `set`, compared with `nfct` and `sysctl`.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::namespace::{Namespace, output, rsct, succeeds};
use crate::sentence::one_sentence;

const ENTRIES: &str = "
    -p tcp -s 10.8.0.1 -d 10.8.0.2 --sport 1 --dport 80 --state ESTABLISHED -t 300
    -p tcp -s 10.8.0.1 -d 10.8.0.2 --sport 2 --dport 80 --state ESTABLISHED -t 300
    -p tcp -s 2001:db8::1 -d 2001:db8::2 --sport 2 --dport 80 --state SYN_SENT -t 300
    -p udp -s 10.8.0.1 -d 10.8.0.2 --sport 1 --dport 53 -t 300
    -p udp -s 10.8.0.1 -d 10.8.0.2 --sport 2 --dport 53 -t 300 -u SEEN_REPLY
    -p udp -s 10.8.0.1 -d 10.8.0.2 --sport 3 --dport 53 -t 300 -u SEEN_REPLY,ASSURED
    -p icmp -s 10.8.0.1 -d 10.8.0.2 --icmp-type 8 --icmp-code 0 --icmp-id 7 -t 300
    -p 50 -s 10.8.0.1 -d 10.8.0.2 -t 300
    -p sctp -s 10.8.0.1 -d 10.8.0.2 --sport 1 --dport 2 --state COOKIE_WAIT --orig-vtag 1 --reply-vtag 2 -t 300
    -p gre -s 10.8.0.1 -d 10.8.0.2 --srckey 1 --dstkey 2 -t 300 -u SEEN_REPLY
";

pub fn run() -> Result<()> {
    let namespace = Namespace::new("timeouts")?;
    agree(&namespace)?;
    unprivileged(&namespace)?;
    persisted()
}

/// Checks the output, which does not depend on the kernel.
pub fn agree(namespace: &Namespace) -> Result<()> {
    namespace.create(ENTRIES)?;
    let before = states(namespace)?;
    for state in &before {
        let what = || format!("{state}");
        ensure!(state["value_s"] == state["default_s"], "{}", what());
        ensure!(state["changed"] == false, "{}", what());
        let proto = state["proto"].as_str().with_context(what)?;
        let name = state["timeout_state"].as_str().with_context(what)?;
        as_nfct(namespace, state)?;
        if let Some(sysctl) = state["sysctl"].as_str() {
            let value = namespace.sh(&format!("sysctl -n {sysctl}"))?;
            ensure!(
                value.trim().parse() == Ok(state["value_s"].as_u64().unwrap_or(0)),
                "{}",
                what()
            );
        }
        let entries = match (proto, name) {
            ("tcp", "established") | ("udp", "unreplied") => Some(2),
            ("tcp", "syn_sent")
            | ("udp", "replied")
            | ("icmp", "timeout")
            | ("generic", "timeout")
            | ("sctp", "cookie_wait")
            | ("gre", "replied") => Some(1),
            ("tcp", "retrans" | "unacknowledged") => None,
            _ => Some(0),
        };
        ensure!(state["entries"].as_u64() == entries, "{}", what());
    }
    set(namespace)?;
    wrong(namespace)
}

/// Every timeout can be set, and the others stay.
fn set(namespace: &Namespace) -> Result<()> {
    let before = states(namespace)?;
    for (proto, assignments, expected) in [
        (
            "tcp",
            "established=1d close=7",
            "tcp established: 432000 → 86400 seconds\ntcp close: 10 → 7 seconds\n",
        ),
        ("tcp", "syn_sent2=2m", "tcp syn_sent2: 120 → 120 seconds\n"),
        ("TCP", "SYN_SENT2=121", "tcp syn_sent2: 120 → 121 seconds\n"),
        (
            "sctp",
            "heartbeat_sent=31",
            "sctp heartbeat_sent: 30 → 31 seconds\n",
        ),
        ("icmp", "timeout=2h", "icmp timeout: 30 → 7200 seconds\n"),
        ("generic", "timeout=601", "generic timeout: 600 → 601 seconds\n"),
        ("gre", "replied=181", "gre replied: 180 → 181 seconds\n"),
    ] {
        let args: Vec<&str> = ["timeout", "set", proto]
            .into_iter()
            .chain(assignments.split(' '))
            .collect();
        let tried = succeeds(&mut namespace.rsct(&[&args[..], &["--dry-run"]].concat()))?;
        ensure!(tried == expected, "--dry-run: {tried}");
        let said = succeeds(&mut namespace.rsct(&args))?;
        ensure!(said == expected, "{said}");
    }
    // UDP-Lite has UDP's timeouts, where the kernel has it: each change is reported.
    let mut command = Command::new(rsct());
    command.args([
        "timeout",
        "set",
        "udp",
        "replied=5m",
        "-o",
        "json",
        "--netns",
        &namespace.name,
    ]);
    let said = succeeds(&mut command)?;
    for line in said.lines() {
        let change: Value = serde_json::from_str(line)?;
        ensure!(
            change["value_before_s"] == 120
                && change["value_s"] == 300
                && change["netns_name"] == namespace.name,
            "{change}"
        );
    }
    let has_udplite = before.iter().any(|state| state["proto"] == "udplite");
    ensure!(said.lines().count() == 1 + usize::from(has_udplite), "{said}");

    let changed = [
        ("tcp", "established", 86400),
        ("tcp", "close", 7),
        ("tcp", "syn_sent2", 121),
        ("udp", "replied", 300),
        ("udplite", "replied", 300),
        ("sctp", "heartbeat_sent", 31),
        ("icmp", "timeout", 7200),
        ("generic", "timeout", 601),
        ("gre", "replied", 181),
    ];
    for (before, now) in before.iter().zip(states(namespace)?) {
        let of =
            |(proto, state, _): &&(&str, &str, u64)| now["proto"] == *proto && now["timeout_state"] == *state;
        let expected = changed.iter().find(of).map(|(.., seconds)| *seconds);
        let expected = expected.or(before["value_s"].as_u64());
        ensure!(now["value_s"].as_u64() == expected, "{now}");
        ensure!(now["changed"] == (now["value_s"] != now["default_s"]), "{now}");
        as_nfct(namespace, &now)?;
    }
    let text = succeeds(&mut namespace.rsct(&["timeout", "show", "udp"]))?;
    let words: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split_whitespace().take(5).collect())
        .collect();
    let expected = [
        ["PROTO", "STATE", "SECONDS", "DEFAULT", "ENTRIES"],
        ["udp", "unreplied", "30", "30", "2"],
        ["udp", "replied", "300*", "120", "1"],
    ];
    ensure!(words == expected, "{text}");
    Ok(())
}

fn wrong(namespace: &Namespace) -> Result<()> {
    let before = states(namespace)?;
    for (args, code, sentence) in [
        ("show ipx", 2, "protocols are tcp, udp, udplite, icmp"),
        ("set ipx timeout=5", 2, "protocols are tcp, udp, udplite, icmp"),
        ("set udp", 2, "<STATE=SECS>"),
        ("set udp replied", 2, "expected STATE=SECS, such as unreplied=30"),
        (
            "set udp unreplied=5 assured=5",
            2,
            "udp has no state \"assured\"; it has unreplied, replied",
        ),
        (
            "set udp unreplied=5 replied=0",
            2,
            "0 would make entries expire at once",
        ),
        ("set udp unreplied=5 replied=-1", 2, "negative"),
        ("set udp unreplied=5 replied=1.5", 2, "whole seconds"),
        ("set udp unreplied=5 replied=5y", 2, "unknown unit y"),
        (
            "set udp unreplied=5 replied=4000000000",
            2,
            "the longest timeout of this kernel",
        ),
        ("set udp unreplied=5 unreplied=6", 2, "given twice"),
        (
            "set tcp close=5 syn_sent2=5 --persist 90-x.conf",
            2,
            "syn_sent2 has no sysctl",
        ),
        (
            "set udp unreplied=5 --persist ../x.conf",
            2,
            "expected the name of a file in /etc/sysctl.d",
        ),
        (
            "set udp unreplied=5 --persist x.conf --netns x",
            2,
            "cannot be used with",
        ),
        (
            "set udp unreplied=5 --persist rsct-no.conf",
            2,
            "the file applies to the initial network namespace",
        ),
        ("show --netns no-such-one", 1, "no such name under /run/netns"),
    ] {
        let args: Vec<&str> = std::iter::once("timeout").chain(args.split(' ')).collect();
        // A user without access to process 1 reads the reason.
        let said = output(&mut namespace.rsct(&args))?;
        if String::from_utf8_lossy(&said.stderr).contains("of process 1") {
            continue;
        }
        one_sentence(&mut namespace.rsct(&args), code, sentence)?;
    }
    for proto in ["dccp", "udplite"] {
        if before.iter().any(|state| state["proto"] == proto) {
            continue;
        }
        let sentence = "this kernel has no handler for the protocol";
        one_sentence(&mut namespace.rsct(&["timeout", "show", proto]), 1, sentence)?;
        let first = if proto == "dccp" { "open=5" } else { "replied=5" };
        one_sentence(
            &mut namespace.rsct(&["timeout", "set", proto, first]),
            1,
            sentence,
        )?;
    }
    ensure!(states(namespace)? == before, "what is wrong changed something");
    Ok(())
}

fn unprivileged(namespace: &Namespace) -> Result<()> {
    let before = states(namespace)?;
    let mut unprivileged = namespace.command("setpriv", &["--bounding-set=-all", "--inh-caps=-all", "--"]);
    unprivileged
        .arg(rsct())
        .args(["timeout", "set", "udp", "replied=5"]);
    one_sentence(
        &mut unprivileged,
        1,
        "not permitted; run as root or with the capability CAP_NET_ADMIN",
    )?;
    ensure!(states(namespace)? == before, "who may not change anything did");

    // A user who may not create a namespace sees no defaults, and the reason.
    let mut unprivileged = namespace.command(
        "setpriv",
        &["--bounding-set=-all,+net_admin", "--inh-caps=-all", "--"],
    );
    unprivileged
        .arg(rsct())
        .args(["timeout", "show", "udp", "-o", "json"]);
    let shown = output(&mut unprivileged)?;
    let said = String::from_utf8_lossy(&shown.stderr);
    ensure!(
        shown.status.success() && said.lines().count() == 1 && said.contains("CAP_SYS_ADMIN"),
        "{said}"
    );
    for line in String::from_utf8(shown.stdout)?.lines() {
        let state: Value = serde_json::from_str(line)?;
        ensure!(
            state["default_s"].is_null() && state.get("changed").is_none(),
            "{state}"
        );
        ensure!(state["value_s"].is_u64(), "{state}");
    }
    Ok(())
}

/// A settings file is shown and written, in a mount namespace that protects this machine's own files.
fn persisted() -> Result<()> {
    let script = r#"
        mount -t tmpfs none /etc/sysctl.d && cd /etc/sysctl.d
        printf '# mine\nvm.swappiness = 1\nnet/netfilter/nf_conntrack_udp_timeout=5\n' >90-t.conf && chmod 640 90-t.conf
        "$1" timeout set udp unreplied=77 replied=5m --persist 90-t.conf --dry-run
        sysctl -n net.netfilter.nf_conntrack_udp_timeout
        "$1" timeout set udp unreplied=77 replied=5m --persist 90-t.conf
        echo --; sysctl -n net.netfilter.nf_conntrack_udp_timeout; cat 90-t.conf; stat -c %a *; sysctl -qp 90-t.conf
        "$1" timeout set gre replied=200 --persist /etc/sysctl.d/91-t.conf >/dev/null
        mount -o remount,ro /etc/sysctl.d
        ! "$1" timeout set gre replied=300 --persist 91-t.conf >/dev/null
        echo --; ls -A; sysctl -n net.netfilter.nf_conntrack_gre_timeout_stream; tail -n 1 91-t.conf"#;
    let mut command = Command::new("unshare");
    command
        .args([
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--mount-proc",
            "sh",
            "-ec",
            script,
            "sh",
        ])
        .arg(rsct());
    let output = output(&mut command)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{said}");
    let shown = String::from_utf8(output.stdout)?;
    let lines: Vec<&str> = shown
        .lines()
        .filter(|line| !line.starts_with("udplite"))
        .collect();
    let file = [
        "# mine",
        "vm.swappiness = 1",
        "net.netfilter.nf_conntrack_udp_timeout = 77",
        "net.netfilter.nf_conntrack_udp_timeout_stream = 300",
    ];
    let path = ["# /etc/sysctl.d/90-t.conf"];
    let changes = ["udp unreplied: 30 → 77 seconds", "udp replied: 120 → 300 seconds"];
    let expected = [
        &path[..],
        &file,
        &changes,
        &["30"],
        &path,
        &file,
        &changes,
        &["--", "77"],
        &file,
        &["640", "--", "90-t.conf", "91-t.conf", "200"],
        &["net.netfilter.nf_conntrack_gre_timeout_stream = 200"],
    ]
    .concat();
    ensure!(lines == expected, "{shown}\nwhere expected is {expected:#?}");
    for sentence in [
        "rsct: nothing has been changed.",
        "rsct: /etc/sysctl.d/90-t.conf has been written;",
        "rsct: --persist: nothing has been set: writing settings to /etc/sysctl.d/91-t.conf: ",
        ": Read-only file system",
    ] {
        ensure!(said.contains(sentence), "{said}");
    }
    Ok(())
}

/// States that `rsct timeout show` prints.
pub fn states(namespace: &Namespace) -> Result<Vec<Value>> {
    let shown = succeeds(&mut namespace.rsct(&["timeout", "show", "-o", "json"]))?;
    shown
        .lines()
        .map(|line| Ok(serde_json::from_str(line)?))
        .collect()
}

/// Compares a state with nfct's output, if nfct knows it.
fn as_nfct(namespace: &Namespace, state: &Value) -> Result<()> {
    let what = || format!("{state}");
    let proto = state["proto"].as_str().with_context(what)?;
    let name = state["timeout_state"].as_str().with_context(what)?;
    let family = if proto == "icmpv6" { "inet6" } else { "inet" };
    let said = succeeds(&mut namespace.command("nfct", &["default-get", "timeout", family, proto]))?;
    let begins = format!(".{} = ", name.to_uppercase());
    let theirs = said.lines().find_map(|line| {
        line.trim()
            .strip_prefix(&begins)?
            .strip_suffix(',')?
            .parse::<u64>()
            .ok()
    });
    // nfct does not know this one.
    if (proto, name) != ("sctp", "heartbeat_sent") {
        ensure!(
            theirs.is_some() && state["value_s"].as_u64() == theirs,
            "{state}, where nfct has:\n{said}"
        );
    }
    Ok(())
}
