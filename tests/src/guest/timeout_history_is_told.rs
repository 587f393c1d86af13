//! `rsct list --timeout-source` names the source of each entry's timeout, also of entries from long before. `rsct
//! timeout why` prints its history: each refresh, the packet that caused it, and changes by user space.

use std::{
    net::UdpSocket,
    process::{Command, Stdio},
    thread,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use serde_json::Value;

use crate::{
    guest::ATTACH,
    lab::{Lab, Line, Trace, traffic},
    native::namespace::{Namespace, output, succeeds},
};

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let there = &lab.server;
    // It is not loaded if nothing has needed it yet; it stays if something holds it.
    there.sh("modprobe -qr nf_conntrack_netlink || true")?;
    succeeds(&mut listing(there, "json"))?;
    there.sh("nfct add timeout udp-policy1 inet udp replied 300
        iptables -t raw -A PREROUTING -p udp --dport 9001 -j CT --timeout udp-policy1")?;
    let (governed, governed_server) = traffic::udp(&lab, 9001)?;
    let (plain, plain_server) = traffic::udp(&lab, 9002)?;
    traffic::request(&governed, &governed_server)?;
    traffic::request(&plain, &plain_server)?;
    let by_hand = "-s 10.0.0.1 -d 10.0.0.2 -p udp --sport 1 --dport 2 -t 5000";
    there.sh(&format!("conntrack -I {by_hand}"))?;

    is_listed(there)?;
    // On a busy host 30 seconds may have passed by now.
    let again = || {
        traffic::request(&governed, &governed_server)?;
        traffic::request(&plain, &plain_server)
    };
    again()?;
    is_shown_wide(there)?;
    again()?;
    history(&lab, (&governed, &governed_server), (&plain, &plain_server))?;
    history_for_people(&lab, &governed, &governed_server)
}

/// rsct in the form of this run.
fn attaching(namespace: &Namespace, args: &[&str]) -> Command {
    let mut command = namespace.rsct(args);
    if let Ok(mode) = std::env::var(ATTACH) {
        command.args(["--attach", &mode]);
    }
    command
}

/// The one function that it attaches to has more arguments than some kernels' fentry supports: by default, or by
/// kprobe.
fn listing(namespace: &Namespace, output: &str) -> Command {
    let mut command = namespace.rsct(&["list", "-p", "udp", "-o", output, "--timeout-source"]);
    if std::env::var(ATTACH).is_ok_and(|mode| mode == "kprobe") {
        command.args(["--attach", "kprobe"]);
    }
    command
}

fn is_listed(there: &Namespace) -> Result<()> {
    let listed = succeeds(&mut listing(there, "json"))?;
    let of = |dport: u64| -> Result<Value> {
        let lines = listed.lines().map(serde_json::from_str::<Value>);
        for line in lines {
            let line = line?;
            if line.pointer("/orig/dport").and_then(Value::as_u64) == Some(dport) {
                return Ok(line["timeout_source"].clone());
            }
        }
        anyhow::bail!("no entry for port {dport}\n{listed}")
    };
    let governed = of(9001)?;
    ensure!(governed["setter"] == "policy", "{governed}");
    ensure!(governed["policy"] == "udp-policy1", "{governed}");
    ensure!(governed["timeout_state"] == "unreplied", "{governed}");
    ensure!(governed["value_s"] == 30, "{governed}");
    let plain = of(9002)?;
    ensure!(plain["setter"] == "default", "{plain}");
    ensure!(
        plain["sysctl"] == "net.netfilter.nf_conntrack_udp_timeout",
        "{plain}"
    );
    ensure!(plain["value_s"] == 30, "{plain}");
    let by_hand = of(2)?;
    ensure!(by_hand["setter"] == "user_space", "{by_hand}");
    let policies = succeeds(&mut there.rsct(&["timeout", "policy", "list", "-o", "json"]))?;
    let policy: Value = serde_json::from_str(policies.trim())?;
    ensure!(policy["flows"] == 1 && policy["rules"] == 1, "{policy}");
    Ok(())
}

fn is_shown_wide(there: &Namespace) -> Result<()> {
    let wide = succeeds(&mut listing(there, "wide"))?;
    for expected in [
        "timeout=\"30s, policy udp-policy1\"",
        "timeout=\"30s, nf_conntrack_udp_timeout\"",
        "timeout=\"set by user space: longer than its protocol's timeouts\"",
    ] {
        ensure!(wide.contains(expected), "{expected} is missing\n{wide}");
    }
    let refused = output(&mut there.rsct(&["list", "--timeout-source"]))?;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(
        refused.status.code() == Some(2) && said.contains("give -o wide or -o json"),
        "{said}"
    );
    Ok(())
}

fn history(lab: &Lab, governed: (&UdpSocket, &UdpSocket), plain: (&UdpSocket, &UdpSocket)) -> Result<()> {
    let why = attaching(
        &lab.server,
        &["timeout", "why", "-p", "udp", "--dport", "9001", "-o", "json"],
    );
    let trace = Trace::of(why)?;
    ensure!(
        trace.has(|line| line.text("/timeout_source/policy") == "udp-policy1" && line.has("/timeout_s")),
        "the existing entry is not reported"
    );
    traffic::request(plain.0, plain.1)?;
    traffic::reply(governed.0, governed.1)?;
    let replied = trace.wait_for("a reply refreshes the entry", |line| {
        line.is_packet() && line.text("/dir") == "reply"
    })?;
    ensure!(
        replied.text("/timeout_source/policy") == "udp-policy1",
        "{replied}"
    );
    ensure!(
        replied.has("/before/timeout_ms") && replied.has("/after/timeout_ms"),
        "{replied}"
    );
    succeeds(
        &mut lab
            .server
            .rsct(&["update", "-p", "udp", "--dport", "9001", "--set-timeout", "700"]),
    )?;
    trace.wait_for("it is set by user space", |line| {
        line.is_event("change_timeout") && line.is_about_seconds("/after/timeout_ms", 700)
    })?;
    let ended = trace.stop()?;
    let others = ended
        .lines
        .iter()
        .find(|line: &&Line| line.has("/orig/dport") && line.number("/orig/dport") != Some(9001));
    ensure!(others.is_none(), "{}", ended.told());
    Ok(())
}

/// Sends datagrams as long as it runs: it does not report when it has attached.
fn history_for_people(lab: &Lab, client: &UdpSocket, server: &UdpSocket) -> Result<()> {
    let mut why = attaching(
        &lab.server,
        &[
            "timeout",
            "why",
            "-p",
            "udp",
            "--dport",
            "9001",
            "--duration",
            "1s",
        ],
    );
    why.stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = why.spawn().context("start rsct timeout why")?;
    // The output is read at once: a full pipe would block it.
    let reader = thread::spawn(move || child.wait_with_output());
    while !reader.is_finished() {
        traffic::request(client, server)?;
    }
    let ended = reader.join().map_err(|_| anyhow!("the reader panicked"))??;
    let told = String::from_utf8_lossy(&ended.stdout).into_owned();
    ensure!(
        ended.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&ended.stderr)
    );
    ensure!(told.contains("700s") || told.contains("s left"), "{told}");
    let heading = told.lines().find(|line| line.starts_with("flow "));
    ensure!(
        heading.is_some_and(|line| line.contains("192.168.34.11:9001")),
        "{told}"
    );
    ensure!(
        told.lines()
            .any(|line| line.contains(" → ") && line.contains(", policy udp-policy1; orig packet of ")),
        "{told}"
    );
    Ok(())
}
