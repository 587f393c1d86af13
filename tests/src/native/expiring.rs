//! `rsct timeout expiring` lists the entries that expire next and their times, and they expire at these times.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    list_of_a_large_table::holds,
    namespace::{Namespace, output, rsct, succeeds},
};
use crate::{
    bench::table::{
        entries::{self, Subset},
        netlink::Ctnetlink,
        process::{self, Output},
    },
    lab::{inside::inside, wait},
    sentence::one_sentence,
};

const ENTRIES: &str = "
    -p udp -s 10.8.0.1 -d 10.8.0.2 --sport 3 --dport 53 -t 250
    -p udp -s 10.8.0.1 -d 10.8.0.2 --sport 4 --dport 53 -t 251
    -p tcp -s 10.8.0.1 -d 10.8.0.2 --sport 1 --dport 80 --state ESTABLISHED -t 290
    -p tcp -s 2001:db8::1 -d 2001:db8::2 --sport 2 --dport 80 --state TIME_WAIT -t 3500
    -p tcp -s 2001:db8::1 -d 2001:db8::2 --sport 3 --dport 80 --state ESTABLISHED -t 432000
    -p 50 -s 10.8.0.1 -d 10.8.0.2 -t 500
    -p udp -s 10.8.0.1 -d 10.8.0.2 --sport 1 --dport 53 -t 12
    -p udp -s 10.8.0.1 -d 10.8.0.2 --sport 2 --dport 53 -t 11 -u SEEN_REPLY,ASSURED
";

pub fn run() -> Result<()> {
    let namespace = Namespace::new("expiring")?;
    agree(&namespace)?;
    wrong(&namespace)
}

/// Checks the output, which does not depend on the kernel.
pub fn agree(namespace: &Namespace) -> Result<()> {
    let nothing = output(&mut expiring(namespace, &[]))?;
    ensure!(
        nothing.status.success() && nothing.stdout.is_empty(),
        "{nothing:?}"
    );
    ensure!(
        nothing.stderr == b"rsct: the next 0 of 0 flow entries have been shown, 0 have not.\n",
        "{nothing:?}"
    );
    namespace.create(ENTRIES)?;

    // Two of them expire next, and nothing else within a minute.
    let within = output(&mut expiring(namespace, &["--within", "1m"]))?;
    let (shown, said) = (
        String::from_utf8(within.stdout)?,
        String::from_utf8(within.stderr)?,
    );
    ensure!(
        said == "rsct: 2 of 8 flow entries expire within that time.\n",
        "{said}"
    );
    let (histogram, list) = shown.split_once("\n\n").context("no list")?;
    let ports: Vec<&str> = list
        .lines()
        .filter_map(|line| line.split(' ').find(|word| word.starts_with("sport=")))
        .collect();
    ensure!(ports == ["sport=2", "sport=1"], "{list}");
    ensure!(
        list.lines()
            .all(|line| line.starts_with("udp      17 ") && line.ends_with("use=1")),
        "{list}"
    );
    for (span, entries, states) in [
        ("2m to 5m", "3", "udp unreplied 2, tcp established 1"),
        ("5m to 10m", "1", "generic 1"),
        ("30m to 1h", "1", "tcp time_wait 1"),
        ("2d to 5d", "1", "tcp established 1"),
    ] {
        let line = histogram.lines().find(|line| line.trim_start().starts_with(span));
        let line = line.with_context(|| format!("no {span} in:\n{histogram}"))?;
        let count = line.trim_start()[span.len()..].split_whitespace().next();
        ensure!(count == Some(entries) && line.contains('█'), "{line}");
        ensure!(line.ends_with(states), "{line}");
    }

    // Filters apply to both, and JSON has the same.
    let json = succeeds(&mut expiring(
        namespace,
        &["-p", "tcp", "-o", "json", "--next", "2"],
    ))?;
    let objects: Vec<Value> = json.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    ensure!(
        objects[0]["type"] == "expiring" && objects[0]["entries"] == 3,
        "{json}"
    );
    let counted: u64 = objects[0]["buckets"]
        .as_array()
        .context("no buckets")?
        .iter()
        .filter_map(|bucket| bucket["entries"].as_u64())
        .sum();
    let states: Vec<&Value> = objects[1..].iter().map(|entry| &entry["state"]).collect();
    ensure!(counted == 3 && states == ["ESTABLISHED", "TIME_WAIT"], "{json}");

    // The prediction holds.
    wait::until("the two that expire next are deleted", || {
        Ok(namespace.conntrack(&["-p", "udp"])?.lines().count() == 2)
    })?;
    let left = output(&mut expiring(namespace, &["--next", "3"]))?;
    let said = String::from_utf8(left.stderr)?;
    ensure!(
        said == "rsct: the next 3 of 6 flow entries have been shown, 3 have not.\n",
        "{said}"
    );
    let shown = String::from_utf8(left.stdout)?;
    let ports: Vec<&str> = shown
        .lines()
        .filter_map(|line| line.split(' ').find(|word| word.starts_with("sport=")))
        .collect();
    ensure!(ports == ["sport=3", "sport=4", "sport=1"], "{shown}");
    Ok(())
}

fn wrong(namespace: &Namespace) -> Result<()> {
    for (args, code, sentence) in [
        ("--within x", 2, "expected a number with a unit"),
        ("--within 5y", 2, "unknown unit y"),
        ("--within=-5", 2, "negative"),
        ("--within 5 --next 5", 2, "cannot be used with"),
        ("--next x", 2, "invalid value 'x'"),
        ("-p ipx", 2, "expected a protocol name"),
        ("--netns no-such-one", 1, "no such name under /run/netns"),
    ] {
        let args: Vec<&str> = args.split(' ').collect();
        one_sentence(&mut expiring(namespace, &args), code, sentence)?;
    }
    Ok(())
}

/// Only the listed entries of a large table are kept in memory.
pub fn large() -> Result<()> {
    const ENTRIES: u32 = 100_000;
    // The lines of all of them would need some 15 MiB more.
    const MOST_KIB: u64 = 20 * 1024;
    holds(ENTRIES)?;
    let namespace = Namespace::new("large")?;
    inside(&namespace.name, "fill", || {
        Ctnetlink::open()?.create(entries::flows(ENTRIES, Subset::All))
    })?;
    let rsct = rsct().to_str().context("a path that is no UTF-8")?.to_owned();
    let line = [rsct.as_str(), "timeout", "expiring"].map(str::to_owned);
    let run = process::start(&namespace.name, &line, Output::Null)?.wait()?.0;
    ensure!(
        run.peak_kib <= MOST_KIB,
        "{} KiB resident, more than {MOST_KIB}",
        run.peak_kib
    );
    Ok(())
}

fn expiring(namespace: &Namespace, args: &[&str]) -> std::process::Command {
    namespace.rsct(&[&["timeout", "expiring"], args].concat())
}
