//! A full table: a new flow evicts others as long as some are not ASSURED, and gets no entry after that. `rsct why
//! full` names the refused flows, the evicted ones and the sources that fill the table.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};

use crate::{
    lab::{
        CLIENT, Lab, Line, Recording, Why,
        limit::{Limit, MAX},
        traffic,
    },
    native::{namespace::succeeds, save_and_load::Scratch},
};

/// The table's size as a setting of the first network namespace.
const BUCKETS: &str = "/proc/sys/net/netfilter/nf_conntrack_buckets";
/// Enough that the kernel finds an entry to evict wherever it searches: it visits 8 chains of 512 or more.
const ENTRIES: i64 = 2000;

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    let _short = Limit::set(BUCKETS, 512)?;
    fill(&lab)?;
    let (client, server) = traffic::udp(&lab, 9010)?;
    let port = i64::from(client.local_addr()?.port());
    let recording = Recording::start(&lab.server.name)?;
    let why = Why::start("full", &lab.server.name, &[])?;
    let _tiny = Limit::set(MAX, u32::try_from(ENTRIES)?)?;

    // An entry is evicted for this one …
    traffic::request(&client, &server)?;
    // … and none for the next, as all are ASSURED and the limit is reached.
    let all = ["update", "-q", "-p", "udp", "--set-status", "SEEN_REPLY,ASSURED"];
    succeeds(&mut lab.server.rsct(&all))?;
    let left: i64 = lab.server.sh("conntrack -C")?.trim().parse().context("a count")?;
    let _full = Limit::set(MAX, u32::try_from(left)?)?;
    let late = lab.on_client(|| Ok(std::net::UdpSocket::bind((CLIENT, 0))?))?;
    for _ in 0..3 {
        traffic::send(&late, b"full", server.local_addr()?)?;
    }
    let late = i64::from(late.local_addr()?.port());

    let answer = why.answer()?;
    let made_room = answer.met("evicted", 1)?;
    ensure!(
        made_room.number("/top_flows/0/orig/sport") == Some(port),
        "{made_room}"
    );
    // All evictable entries of a chain are evicted at once.
    let evicted = ENTRIES + 1 - left;
    ensure!(evicted >= 1, "no entry was evicted\n{}", answer.told);
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
    who_fills_it(answer.other("table")?, left)?;
    let recorded = recording.stop()?.must_equal("full", &answer)?;
    recorded.agrees_unless_skipped()?;
    who_fills_it(recorded.other("table")?, left)
}

/// Creates entries of one client of one service.
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
