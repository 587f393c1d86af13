//! The contents of the page, independent of its form.

use super::chart::Chart;
use crate::{
    plural,
    render::{
        date,
        top::{
            pane::{Pane, printable},
            table::Table,
        },
    },
    report::{Finding, Gathered, findings},
    snapshot::Snapshot,
    source::recorded::Start,
};

/// Rows of each table.
const ROWS: usize = 20;

/// The page.
#[derive(Debug)]
pub(crate) struct Document {
    /// Its title.
    pub title: String,
    /// Its sections.
    pub sections: Vec<Section>,
}

/// A section.
#[derive(Debug)]
pub(crate) struct Section {
    /// Its heading.
    pub heading: &'static str,
    /// Its contents.
    pub blocks: Vec<Block>,
}

/// A part of a section.
#[derive(Debug)]
pub(crate) enum Block {
    /// Findings, worst first.
    Findings(Vec<Finding>),
    /// A chart.
    Chart(Chart),
    /// A table with a caption.
    Table(&'static str, Table),
    /// Names and values.
    Facts(Vec<(&'static str, String)>),
}

/// Makes the page.
pub(crate) fn document(gathered: &Gathered, start: &Start, files: &str) -> Document {
    let snapshot = gathered.snapshot();
    Document {
        title: printable(&format!("rsct report: {}", start.host)),
        sections: vec![
            Section {
                heading: "Findings",
                blocks: vec![
                    Block::Findings(findings(gathered)),
                    Block::Facts(figures(gathered, &snapshot)),
                ],
            },
            Section {
                heading: "Over time",
                blocks: charts(gathered).into_iter().map(Block::Chart).collect(),
            },
            Section {
                heading: "Causes, flows, sources",
                blocks: tables(gathered, &snapshot),
            },
            Section {
                heading: "The recording",
                blocks: vec![Block::Facts(recorded(gathered, start, files))],
            },
        ],
    }
}

fn seconds(gathered: &Gathered) -> f64 {
    gathered.now_ns.saturating_sub(gathered.collector.started_ns()) as f64 / 1e9
}

fn figures(gathered: &Gathered, snapshot: &Snapshot) -> Vec<(&'static str, String)> {
    let mut facts = vec![("duration", format!("{:.1} s", seconds(gathered)))];
    let rate = |count: u64| count as f64 / seconds(gathered).max(1e-9);
    for (name, count) in snapshot.totals.named() {
        facts.push((name, format!("{count} ({:.1}/s)", rate(count))));
    }
    if let (Some(p50), Some(p99)) = (snapshot.durations.quantile(500), snapshot.durations.quantile(990)) {
        facts.push((
            "nf_conntrack_in",
            format!(
                "median {}, 99 % at most {}",
                super::super::top::table::duration(p50),
                super::super::top::table::duration(p99)
            ),
        ));
    }
    facts
}

fn charts(gathered: &Gathered) -> Vec<Chart> {
    let series = &gathered.series;
    let mut table = Chart::new("Entries in the table", "entries");
    table.line("entries", series.values(|point| Some(point.entries)));
    table.line("limit", series.values(|point| point.max));
    let mut packets = Chart::new("Packets", "packets per second");
    packets.line("packets", series.rates(|totals| totals.packets));
    let mut entries = Chart::new("Entries inserted and deleted", "entries per second");
    entries.line("inserted", series.rates(|totals| totals.inserted));
    entries.line("deleted", series.rates(|totals| totals.deleted));
    let mut faults = Chart::new("INVALID packets, drops, failed inserts", "per second");
    faults.line("INVALID", series.rates(|totals| totals.invalid));
    faults.line("dropped", series.rates(|totals| totals.dropped));
    faults.line("insert failed", series.rates(|totals| totals.insert_failed));
    let mut latency = Chart::new("Durations of nf_conntrack_in", "packets");
    latency.bars(
        gathered
            .snapshot()
            .durations
            .octaves()
            .into_iter()
            .map(|(least, count)| (super::super::top::table::duration(least), count))
            .collect(),
    );
    vec![table, packets, entries, faults, latency]
}

fn tables(gathered: &Gathered, snapshot: &Snapshot) -> Vec<Block> {
    let start = Snapshot {
        time_ns: gathered.collector.started_ns(),
        ..Snapshot::default()
    };
    let interval = snapshot.since(&start);
    let captions = [
        (Pane::Causes, "Causes"),
        (Pane::Flows, "Flows"),
        (Pane::Sources, "Sources"),
        (Pane::Destinations, "Destinations"),
        (Pane::Tasks, "Tasks"),
        (Pane::Namespaces, "Network namespaces"),
        (Pane::Entries, "Entries at the end"),
    ];
    captions
        .into_iter()
        .map(|(pane, caption)| {
            let mut table = pane.table(&interval, &gathered.names, pane.first_column());
            table.sort(pane.first_column(), false);
            table.rows.truncate(ROWS);
            Block::Table(caption, table)
        })
        .collect()
}

fn recorded(gathered: &Gathered, start: &Start, files: &str) -> Vec<(&'static str, String)> {
    let mut begun = Vec::new();
    let begun_ns = i128::from(start.setup.started_ns) + i128::from(start.realtime_offset_ns);
    let begun_s = u64::try_from(begun_ns / 1_000_000_000).unwrap_or(0);
    if let Some(date) = date::Date::local(begun_s) {
        date.iso(&mut begun);
    }
    let summary = gathered.summary();
    let mut facts = vec![
        ("files", files.to_owned()),
        ("host", start.host.clone()),
        ("kernel", format!("{} {}", start.kernel, start.machine)),
        ("rsct", start.rsct.clone()),
        ("command", start.command.join(" ")),
        ("began", String::from_utf8_lossy(&begun).into_owned()),
        (
            "records lost",
            plural::count(summary.lost_total() + summary.causes_lost, "record", "records"),
        ),
        ("dumps", summary.dumps.to_string()),
    ];
    facts.extend(
        summary
            .dump_errors
            .into_iter()
            .map(|error| ("failed dump", error)),
    );
    for (_, value) in &mut facts {
        *value = printable(value);
    }
    facts
}
