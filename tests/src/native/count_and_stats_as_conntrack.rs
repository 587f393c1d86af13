//! `rsct count` and `rsct stats` print the figures of `conntrack -C` and `-S`, and some that those cannot.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::namespace::{Namespace, rsct, succeeds};
use crate::sentence::one_sentence;

const ENTRIES: &str = "
    -p udp -s 10.8.0.1 -d 10.8.0.2 --sport 1 --dport 53 -t 300
    -p udp -s 10.8.0.1 -d 10.8.0.2 --sport 2 --dport 53 -t 300 -m 5
    -p tcp -s 10.8.0.1 -d 10.8.0.2 --sport 2 --dport 80 --state SYN_SENT -t 300
    -p tcp -s 2001:db8::1 -d 2001:db8::2 --sport 2 --dport 80 --state SYN_SENT -t 300
";

pub fn run() -> Result<()> {
    let namespace = Namespace::new("count")?;
    agree(&namespace)?;
    wrong_use(&namespace)
}

/// Checks that the two tools print the same for this namespace.
pub fn agree(namespace: &Namespace) -> Result<()> {
    let rsct_says = |args: &[&str]| succeeds(&mut namespace.rsct(args));
    ensure!(rsct_says(&["count"])? == "0\n", "an empty table has entries");
    namespace.create(ENTRIES)?;
    ensure!(
        rsct_says(&["count"])? == namespace.sh("conntrack -C")?,
        "counts differ"
    );
    for (filter, expected) in [
        (&["-p", "udp"][..], "2\n"),
        (&["-p", "udp", "-m", "5"], "1\n"),
        (&["-f", "ipv6"], "1\n"),
        (&["--dport", "80", "-s", "10.8.0.0/16"], "1\n"),
        (&["--dport", "81"], "0\n"),
    ] {
        let counted = rsct_says(&[&["count"], filter].concat())?;
        ensure!(counted == expected, "{filter:?}: {counted}");
    }
    let count: Value = serde_json::from_str(&rsct_says(&["count", "-o", "json"])?)?;
    ensure!(
        count["entries"] == 4 && count["max_entries"].as_u64() > Some(0),
        "{count}"
    );

    stats(namespace)?;
    every_namespace(namespace)
}

/// Four entries were made by request of user space.
fn stats(namespace: &Namespace) -> Result<()> {
    let theirs = namespace.sh("conntrack -S")?;
    let ours = succeeds(&mut namespace.rsct(&["stats"]))?;
    let (lines, total) = ours
        .trim_end_matches('\n')
        .rsplit_once('\n')
        .context("one line only")?;
    ensure!(
        lines == theirs.trim_end_matches('\n'),
        "{ours}conntrack:\n{theirs}"
    );
    ensure!(total.starts_with("total   \t"), "{total}");
    let inserts: u64 = theirs
        .split_whitespace()
        .filter_map(|field| field.strip_prefix("insert=")?.parse::<u64>().ok())
        .sum();
    ensure!(inserts == 4, "{inserts} inserts according to conntrack\n{theirs}");
    ensure!(total.contains(" insert=4 "), "{total}");

    let rates = succeeds(&mut namespace.rsct(&["stats", "-i", "100ms", "-c", "2", "-o", "json"]))?;
    let readings: Vec<Value> = rates
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    ensure!(readings.len() == 3, "{rates}");
    ensure!(readings[0].get("interval_s").is_none(), "{rates}");
    for reading in &readings[1..] {
        let elapsed = reading["interval_s"].as_f64().context("no interval")?;
        ensure!((0.1..30.0).contains(&elapsed), "{reading}");
        ensure!(reading["total"]["counters"]["insert"] == 4, "{reading}");
        ensure!(
            reading["total"]["growth_per_second"]["insert"] == 0.0,
            "{reading}"
        );
    }
    Ok(())
}

fn every_namespace(namespace: &Namespace) -> Result<()> {
    for (command, is_it) in [("count", "4"), ("stats", "total")] {
        let mut all = Command::new(rsct());
        let text = succeeds(all.args([command, "--netns", "all"]))?;
        let mine = text.lines().find(|line| {
            line.strip_prefix(&namespace.name)
                .is_some_and(|rest| rest.trim_start().starts_with(is_it))
        });
        ensure!(mine.is_some(), "{command}: {text}");
        let mut one = Command::new(rsct());
        let json = succeeds(one.args([command, "-o", "json", "--netns", &namespace.name]))?;
        let value: Value = serde_json::from_str(&json)?;
        ensure!(value["netns_name"] == namespace.name.as_str(), "{json}");
    }
    Ok(())
}

fn wrong_use(namespace: &Namespace) -> Result<()> {
    for (args, code, sentence) in [
        ("stats -i 0", 2, "an interval must be longer than 0"),
        ("stats -i often", 2, "expected a number with a unit"),
        ("stats -c 2", 2, "--interval"),
        ("stats -i 1s -c 0", 2, "0 is not in 1.."),
        ("stats --netns no-such-one", 1, "no such name under /run/netns"),
        ("count --dport http", 2, "expected a port"),
        ("count --netns no-such-one", 1, "no such name under /run/netns"),
    ] {
        let args: Vec<&str> = args.split(' ').collect();
        one_sentence(&mut namespace.rsct(&args), code, sentence)?;
    }
    for command in ["count", "stats"] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full")?;
        one_sentence(
            namespace.rsct(&[command]).stdout(full),
            1,
            "No space left on device",
        )?;
    }
    let mut unprivileged = namespace.command("setpriv", &["--bounding-set=-all", "--inh-caps=-all"]);
    unprivileged.arg("--").arg(rsct()).arg("count");
    one_sentence(&mut unprivileged, 1, "not permitted; run as root")
}
