//! A table fills while `rsct metrics` runs: the scrape names the cause and the source, as `rsct why full` does, and its counters are
//! those of the kernel.

use std::net::UdpSocket;

use anyhow::{Context as _, Result, ensure};

use crate::{
    lab::{
        CLIENT, Lab, SERVER, Why,
        limit::{Limit, MAX},
        metrics::{Answer, Metrics, UNTRACKED},
        traffic, wait,
    },
    native::namespace::Namespace,
};

/// A second address of the client, with fewer flows.
const QUIET: &str = "192.168.34.13";
/// The table's limit.
const ENTRIES: u32 = 60;

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?.with_lasting_udp()?;
    lab.client.ip(&format!("addr add {QUIET}/24 dev eth0"))?;
    lab.client.nft(UNTRACKED)?;
    let mut metrics = Metrics::start(&["--netns", &lab.server.name, "--interval", "1s", "--latency"])?;
    let limit = metrics.wait_for("at most")?;
    wait::until("causes are counted", || {
        Ok(metrics.scrape()?.sum("rsct_tracing_causes", &[]) == 1.0)
    })?;
    let why = Why::start("full", &lab.server.name, &[])?;
    let server = lab.on_server(|| Ok(UdpSocket::bind((SERVER, 9000))?))?;
    let _tiny = Limit::set(MAX, ENTRIES)?;
    flows(&lab, QUIET, 10)?;
    flows(&lab, CLIENT, 80)?;
    drop(server);

    let scrape = metrics.scrape()?;
    is_of_the_kernel(&lab.server, &metrics)?;
    let netns = ("netns", lab.server.name.as_str());
    ensure!(
        scrape.sum("rsct_conntrack_entries_limit", &[netns]) == f64::from(ENTRIES),
        "{}",
        scrape.body
    );
    let sources = "rsct_conntrack_source_new_entries_total";
    let highest = scrape.highest(sources, "source");
    ensure!(highest.as_deref() == Some(CLIENT), "{highest:?}\n{}", scrape.body);
    ensure!(
        scrape.sum(sources, &[("source", QUIET)]) == 10.0,
        "{}",
        scrape.body
    );
    let created = scrape.sum("rsct_conntrack_new_entries_total", &[]);
    ensure!(scrape.sum(sources, &[]) == created, "{created}\n{}", scrape.body);
    for name in [
        "rsct_conntrack_in_duration_seconds_count",
        "rsct_conntrack_call_duration_seconds_count",
        "rsct_conntrack_packets_total",
        "rsct_conntrack_entries_by_state",
        "process_resident_memory_bytes",
    ] {
        ensure!(scrape.sum(name, &[]) > 0.0, "no {name}\n{}", scrape.body);
    }
    wait::until("the causes are counted", || {
        let scrape = metrics.scrape()?;
        Ok(full(&scrape) >= f64::from(90 - ENTRIES))
    })?;

    let answer = why.answer()?;
    let told: i64 = answer.line.0["causes"].as_array().map_or(0, |causes| {
        causes.iter().filter_map(|cause| cause["count"].as_i64()).sum()
    });
    // Both count the same packets, from before the first one.
    wait::until("both have the same number of causes", || {
        Ok(full(&metrics.scrape()?) == told as f64)
    })
    .with_context(|| answer.told.clone())?;
    let scrape = metrics.scrape()?;
    let table = answer.other("table")?;
    ensure!(table.text("/sources/0/src") == CLIENT, "{table}");
    bounded(&scrape, &limit)?;
    let resident = scrape.sum("process_resident_memory_bytes", &[]) / f64::from(1 << 20);
    println!("rsct metrics has {resident:.1} MiB resident, {}", limit.trim());
    ensure!(resident <= 40.0, "{resident} MiB");
    ensure!(metrics.stop()? == Some(0), "rsct metrics failed");
    Ok(())
}

/// One datagram of each of some flows.
fn flows(lab: &Lab, address: &str, count: u32) -> Result<()> {
    for _ in 0..count {
        let socket = lab.on_client(|| Ok(UdpSocket::bind((address, 0))?))?;
        traffic::send(&socket, b"fill", (SERVER, 9000))?;
    }
    Ok(())
}

/// The causes of a full table that `rsct why full` reports.
fn full(scrape: &Answer) -> f64 {
    scrape.sum("rsct_conntrack_causes_total", &[("topic", "full")])
        + scrape.sum(
            "rsct_conntrack_causes_total",
            &[("topic", "delete"), ("cause", "early_drop")],
        )
}

/// Sums of `conntrack -S` by name.
fn stats(namespace: &Namespace) -> Result<Vec<(String, f64)>> {
    let mut sums: Vec<(String, f64)> = Vec::new();
    for word in namespace.sh("conntrack -S")?.split_whitespace() {
        let Some((name, value)) = word.split_once('=').filter(|(name, _)| *name != "cpu") else {
            continue;
        };
        let value: f64 = value.parse().context("a counter")?;
        match sums.iter_mut().find(|(of, _)| of == name) {
            Some((_, sum)) => *sum += value,
            None => sums.push((name.to_owned(), value)),
        }
    }
    Ok(sums)
}

/// The counters are those of `conntrack -S`, and the entries those of `conntrack -C`.
fn is_of_the_kernel(namespace: &Namespace, metrics: &Metrics) -> Result<()> {
    wait::until("nothing changes during a scrape", || {
        let before = (stats(namespace)?, namespace.sh("conntrack -C")?);
        let scrape = metrics.scrape()?;
        if before != (stats(namespace)?, namespace.sh("conntrack -C")?) {
            return Ok(false);
        }
        let (counters, entries) = before;
        ensure!(counters.len() >= 8, "{counters:?}");
        for (name, value) in counters {
            // The tool prints a name of its own for this one.
            let name = if name == "clashres" {
                "clash_resolve"
            } else {
                &name
            };
            let ours = scrape.sum("rsct_conntrack_stat_total", &[("stat", name)]);
            ensure!(ours == value, "{name} is {value}, not {ours}\n{}", scrape.body);
        }
        let ours = scrape.sum("rsct_conntrack_entries", &[]);
        ensure!(
            entries.trim() == ours.to_string(),
            "{entries} entries, not {ours}"
        );
        Ok(true)
    })
}

/// The number of series is below that which rsct printed at the start.
fn bounded(scrape: &Answer, message: &str) -> Result<()> {
    let limit = scrape.sum("rsct_metrics_series_limit", &[]);
    ensure!(
        message.ends_with(&format!("at most {limit} series")),
        "{message}: {limit}"
    );
    let series = scrape.body.lines().filter(|line| !line.starts_with('#')).count();
    ensure!(series as f64 <= limit, "{series} above {limit}");
    ensure!(
        scrape.sum("rsct_metrics_series", &[]) == series as f64,
        "{series}"
    );
    Ok(())
}
