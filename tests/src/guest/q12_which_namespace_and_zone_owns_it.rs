//! Question 12, which namespace and zone owns it: one tuple has entries in two namespaces, in one of them in two zones.
//! `rsct list`, `rsct get` and `rsct why FLOW` with `--netns all` name each, as `conntrack -L` does in each namespace;
//! a packet, and a delete, are reported for their own entry.

use std::{net::UdpSocket, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{
    guest::ATTACH,
    lab::{Lab, Line, Trace, traffic},
    native::namespace::{Namespace, output, rsct, succeeds},
};

const PORT: &str = "9100";

/// A namespace, a zone, and whether the entry is UNREPLIED.
type Owner = (String, i64, bool);

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?.with_lasting_udp()?;
    let (client, server) = traffic::udp(&lab, PORT.parse()?)?;
    for zone in [5, 7] {
        lab.server.sh(&format!(
            "nft 'add table ip zones; flush table ip zones'
            nft 'add chain ip zones pre {{ type filter hook prerouting priority -300; }}'
            nft add rule ip zones pre udp dport {PORT} ct zone set {zone}"
        ))?;
        traffic::request(&client, &server)?;
    }
    let owners = [
        (lab.client.name.clone(), 0, true),
        (lab.server.name.clone(), 5, true),
        (lab.server.name.clone(), 7, true),
    ];
    for namespace in [&lab.client, &lab.server] {
        let listed = namespace.conntrack(&["-p", "udp", "--dport", PORT])?;
        let zones: Vec<i64> = listed.lines().map(zone_of).collect::<Result<_>>()?;
        let theirs = owners.iter().filter(|owner| owner.0 == namespace.name);
        for (_, zone, _) in theirs.clone() {
            ensure!(zones.contains(zone), "conntrack has no zone {zone}\n{listed}");
        }
        ensure!(zones.len() == theirs.count(), "{listed}");
    }
    let flow = words(&client)?;
    list_and_get_name_them(&client, &owners)?;
    why_names_them(&lab, &flow, &owners)?;
    only_the_affected_entry_is_reported(&lab, &flow, (&client, &server))?;
    missing_elsewhere(&flow, &lab)
}

/// The zone at the end of conntrack's line.
fn zone_of(line: &str) -> Result<i64> {
    let zone = line
        .split_whitespace()
        .find_map(|word| word.strip_prefix("zone="));
    Ok(zone.map(str::parse).transpose()?.unwrap_or(0))
}

/// The flow as users type it.
fn words(client: &UdpSocket) -> Result<[String; 5]> {
    let from = client.local_addr()?;
    Ok([
        "udp".to_owned(),
        format!("src={}", from.ip()),
        "dst=192.168.34.11".to_owned(),
        format!("sport={}", from.port()),
        format!("dport={PORT}"),
    ])
}

fn json(text: &str) -> Result<Vec<Line>> {
    text.lines()
        .map(|line| {
            serde_json::from_str(line)
                .map(Line)
                .with_context(|| line.to_owned())
        })
        .collect()
}

fn list_and_get_name_them(client: &UdpSocket, owners: &[Owner]) -> Result<()> {
    let mut list = Command::new(rsct());
    list.args([
        "list", "--netns", "all", "-o", "json", "-p", "udp", "--dport", PORT,
    ]);
    let listed = json(&succeeds(&mut list)?)?;
    ensure!(listed.len() == owners.len(), "{listed:?}");
    let from = client.local_addr()?;
    for (netns, zone, _) in owners {
        let is_it =
            |line: &&Line| line.text("/netns_name") == netns && line.number("/zone").unwrap_or(0) == *zone;
        ensure!(listed.iter().any(|line| is_it(&line)), "{listed:?}");
        let mut get = Command::new(rsct());
        get.args([
            "get",
            "--netns",
            "all",
            "-o",
            "json",
            "-p",
            "udp",
            "-d",
            "192.168.34.11",
        ])
        .args(["--dport", PORT, "-s", &from.ip().to_string()])
        .args(["--sport", &from.port().to_string(), "-w", &zone.to_string()]);
        let got = json(&succeeds(&mut get)?)?;
        ensure!(got.len() == 1 && is_it(&&got[0]), "zone {zone}: {got:?}");
    }
    Ok(())
}

/// rsct in the form of this run.
fn why(netns: &str, duration: &str, output: &str, flow: &[String]) -> Command {
    let mut command = Command::new(rsct());
    command
        .args(["why", "--netns", netns, "--duration", duration, "-o", output])
        .args(flow);
    if let Ok(mode) = std::env::var(ATTACH) {
        command.args(["--attach", &mode]);
    }
    command
}

/// The entries that an answer is about.
fn answered(lines: &[Line]) -> Vec<Owner> {
    let ends = lines.iter().filter(|line| line.text("/type") == "why_flow");
    let mut owners: Vec<Owner> = ends
        .map(|line| {
            let zone = line.number("/zone").unwrap_or(-1);
            (
                line.text("/netns_name").to_owned(),
                zone,
                line.text("/conclusion") == "unreplied",
            )
        })
        .collect();
    owners.sort();
    owners
}

fn why_names_them(lab: &Lab, flow: &[String], owners: &[Owner]) -> Result<()> {
    let lines = json(&succeeds(&mut why("all", "0s", "json", flow))?)?;
    let mut all = owners.to_vec();
    all.sort();
    ensure!(answered(&lines) == all, "{lines:?}");
    // The remaining time, and the source of the timeout, are reported for each.
    let now = lines.iter().filter(|line| {
        line.number("/timeout_s").is_some()
            && line.text("/timeout_source/sysctl") == "net.netfilter.nf_conntrack_udp_timeout"
    });
    ensure!(now.count() == owners.len(), "{lines:?}");
    // A pasted line contains its zone.
    let listed = lab.server.conntrack(&["-p", "udp", "--dport", PORT, "-w", "7"])?;
    let line = listed.trim().to_owned();
    let lines = json(&succeeds(&mut why("all", "0s", "json", &[line]))?)?;
    ensure!(
        answered(&lines) == [(lab.server.name.clone(), 7, true)],
        "{lines:?}"
    );
    let text = succeeds(&mut why(&lab.server.name, "0s", "text", flow))?;
    for expected in [
        format!("netns {}: udp ", lab.server.name),
        "s left of 600s, nf_conntrack_udp_timeout".to_owned(),
        format!(", netns {}, zone 5\n", lab.server.name),
        format!(", netns {}, zone 7\n", lab.server.name),
        "  unreplied: it is in the table, and no reply has been seen; ".to_owned(),
    ] {
        ensure!(text.contains(&expected), "{expected:?} is missing\n{text}");
    }
    Ok(())
}

/// Another datagram, then a delete: both affect only the entry of zone 7.
fn only_the_affected_entry_is_reported(
    lab: &Lab,
    flow: &[String],
    sockets: (&UdpSocket, &UdpSocket),
) -> Result<()> {
    let trace = Trace::of(why(&lab.server.name, "10m", "json", flow))?;
    traffic::request(sockets.0, sockets.1)?;
    lab.server
        .sh(&format!("conntrack -D -p udp --dport {PORT} -w 7"))?;
    let ended = trace.stop()?;
    ensure!(ended.status.success(), "{}", ended.told());
    let of = |zone| {
        let is_it = |line: &&Line| line.text("/type") == "why_flow" && line.number("/zone") == Some(zone);
        ended.lines.iter().find(is_it).with_context(|| ended.told())
    };
    let requests = |line: &Line| -> usize {
        let seen = line.0["seen"].as_array();
        seen.map_or(0, |seen| {
            seen.iter().filter(|seen| seen["role"] == "request").count()
        })
    };
    let deleted = of(7)?;
    ensure!(deleted.text("/conclusion") == "deleted", "{deleted}");
    ensure!(deleted.text("/kind") == "netlink", "{deleted}");
    ensure!(deleted.text("/comm").starts_with("conntrack"), "{deleted}");
    ensure!(requests(deleted) == 1, "{deleted}");
    let other = of(5)?;
    ensure!(
        other.text("/conclusion") == "unreplied" && requests(other) == 0,
        "{other}"
    );
    ensure!(
        other
            .text("/no_reply/explanation")
            .ends_with("packets with its tuple are now in zone 7"),
        "{other}"
    );
    let told = ended
        .lines
        .iter()
        .any(|line| line.is_packet() && line.number("/zone") == Some(7));
    ensure!(told, "the packet is not reported\n{}", ended.told());
    let listed = lab.server.conntrack(&["-p", "udp", "--dport", PORT])?;
    ensure!(listed.lines().count() == 1 && zone_of(&listed)? == 5, "{listed}");
    Ok(())
}

/// The request in a namespace without such an entry.
fn missing_elsewhere(flow: &[String], lab: &Lab) -> Result<()> {
    let aside = Namespace::new("aside")?;
    let lines = json(&succeeds(&mut why(&aside.name, "0s", "json", flow))?)?;
    ensure!(
        lines.iter().any(|line| line.text("/conclusion") == "elsewhere"),
        "{lines:?}"
    );
    let text = succeeds(&mut why(&aside.name, "0s", "text", flow))?;
    ensure!(
        text.contains("in the table now: no entry with this tuple")
            && text.contains(&format!("elsewhere: netns {}: udp", lab.client.name)),
        "{text}"
    );
    let said = output(&mut why(&aside.name, "0s", "text", &["unrepleid".to_owned()]))?;
    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    ensure!(
        said.status.code() == Some(2) && words.contains("\"unrepleid\" is neither a topic nor a flow"),
        "{words}"
    );
    Ok(())
}
