//! A full table: a new flow throws others out as long as there are some that are not ASSURED, and gets no entry after
//! that. `rsct why full` says who paid, who was thrown out and who fills the table.

use std::{fmt::Write as _, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{
    lab::{CLIENT, Lab, Line, Why, traffic},
    native::{namespace::succeeds, save_and_load::Scratch},
};

const MAX: &str = "net.netfilter.nf_conntrack_max";
/// So many that wherever the kernel looks for somebody to throw out, there is one: it looks into 8 chains of 512 or more.
const ENTRIES: i64 = 2000;

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    let _short = Setting::of("net.netfilter.nf_conntrack_buckets", 512)?;
    fill(&lab)?;
    let (client, server) = traffic::udp(&lab, 9010)?;
    let port = i64::from(client.local_addr()?.port());
    let why = Why::ask("full", &lab.server.name, &[])?;
    let _tiny = Setting::of(MAX, ENTRIES)?;

    // Somebody goes for this one …
    traffic::ask(&client, &server)?;
    // … and nobody for the next, as all are ASSURED and there are as many as may be.
    let all = ["update", "-q", "-p", "udp", "--set-status", "SEEN_REPLY,ASSURED"];
    succeeds(&mut lab.server.rsct(&all))?;
    let left: i64 = lab.server.sh("conntrack -C")?.trim().parse().context("a count")?;
    let _full = Setting::of(MAX, left)?;
    let late = lab.on_client(|| Ok(std::net::UdpSocket::bind((CLIENT, 0))?))?;
    for _ in 0..3 {
        traffic::send(&late, b"no room", server.local_addr()?)?;
    }
    let late = i64::from(late.local_addr()?.port());

    let answer = why.answer()?;
    let made_room = answer.met("made_room", 1)?;
    ensure!(
        made_room.number("/top_flows/0/orig/sport") == Some(port),
        "{made_room}"
    );
    // All of a chain go at once.
    let evicted = ENTRIES + 1 - left;
    ensure!(evicted >= 1, "nobody was thrown out\n{}", answer.told);
    let early_drop = answer.met("early_drop", evicted)?;
    ensure!(
        early_drop.text("/top_flows/0/orig/src") == "10.0.0.9",
        "{early_drop}"
    );
    ensure!(
        early_drop.text("/places/0/place").starts_with("early_drop"),
        "{early_drop}"
    );
    let refused = answer.met("refused", 3)?;
    ensure!(
        refused.number("/top_flows/0/orig/sport") == Some(late),
        "{refused}"
    );
    ensure!(refused.number("/top_flows/0/count") == Some(3), "{refused}");
    ensure!(
        refused.text("/namespaces/0/netns_name") == lab.server.name,
        "{refused}"
    );
    answer.agrees()?;
    ensure!(answer.counter("early_drop") == Some(evicted), "{}", answer.told);
    ensure!(answer.counter("drop") == Some(3), "{}", answer.told);
    who_fills_it(answer.other("table")?, left)
}

/// Entries of one client of one service.
fn fill(lab: &Lab) -> Result<()> {
    let file = Scratch::new("full")?;
    let mut lines = String::new();
    for port in 1..=ENTRIES {
        writeln!(
            lines,
            "-A -p udp -s 10.0.0.9 -d 10.0.1.1 --sport {port} --dport 53 -t 300"
        )?;
    }
    std::fs::write(&file.0, lines)?;
    succeeds(&mut lab.server.rsct(&["load", "-q", &file.path()]))?;
    Ok(())
}

fn who_fills_it(table: &Line, entries: i64) -> Result<()> {
    ensure!(table.number("/entries") == Some(entries), "{table}");
    ensure!(table.number("/max_entries") == Some(entries), "{table}");
    ensure!(table.number("/assured") == Some(entries), "{table}");
    ensure!(table.text("/sources/0/src") == "10.0.0.9", "{table}");
    ensure!(table.number("/sources/0/count") == Some(entries - 1), "{table}");
    ensure!(table.text("/services/0/dst") == "10.0.1.1", "{table}");
    ensure!(table.number("/services/0/dport") == Some(53), "{table}");
    Ok(())
}

/// Another value, for all namespaces, for as long as it lives.
struct Setting {
    name: &'static str,
    before: String,
}

impl Setting {
    fn of(name: &'static str, value: i64) -> Result<Self> {
        let before = succeeds(Command::new("sysctl").args(["-n", name]))?
            .trim()
            .to_owned();
        succeeds(Command::new("sysctl").arg("-qw").arg(format!("{name}={value}")))?;
        Ok(Self { name, before })
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        let setting = format!("{}={}", self.name, self.before);
        let _ = Command::new("sysctl").arg("-qw").arg(setting).status();
    }
}
