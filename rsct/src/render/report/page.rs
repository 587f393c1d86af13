//! The page about one recording.

use super::{
    chart::{Chart, Heat, Plot, number},
    document::{Block, Document, Section, shown},
    recorded::{begun, recorded},
    tables::{causes, losses, tables},
};
use crate::{
    names,
    render::{top::table::duration, words},
    report::{Gathered, Point, State, Values, findings},
    snapshot::Snapshot,
    source::recorded::Start,
};

/// The most layers of a stacked chart; the others share one.
const LAYERS: usize = 7;

/// Makes the page.
pub(crate) fn document(gathered: &Gathered, start: &Start, files: &str) -> Document {
    let snapshot = gathered.snapshot();
    Document {
        title: shown(&format!("rsct report: {}", start.host)),
        subtitle: subtitle(gathered, start),
        sections: vec![
            Section {
                heading: "Findings",
                blocks: vec![
                    Block::Findings(findings(gathered)),
                    Block::Figures(figures(gathered, &snapshot)),
                ],
            },
            Section {
                heading: "Over time",
                blocks: vec![Block::Charts(charts(gathered))],
            },
            Section {
                heading: "Causes",
                blocks: vec![causes(gathered, &snapshot)],
            },
            Section {
                heading: "Flows and sources",
                blocks: tables(gathered, &snapshot),
            },
            Section {
                heading: "Losses",
                blocks: losses(gathered),
            },
            Section {
                heading: "The recording",
                blocks: vec![recorded(gathered, start, files)],
            },
        ],
    }
}

/// The begin, the duration and the kernel.
pub(super) fn subtitle(gathered: &Gathered, start: &Start) -> String {
    let text = format!(
        "{}, {:.1} s, Linux {} {}",
        begun(start),
        seconds(gathered),
        start.kernel,
        start.machine
    );
    shown(&text)
}

/// The duration.
pub(super) fn seconds(gathered: &Gathered) -> f64 {
    gathered.now_ns.saturating_sub(gathered.collector.started_ns()) as f64 / 1e9
}

fn figures(gathered: &Gathered, snapshot: &Snapshot) -> Vec<(String, String)> {
    let mut figures = Vec::new();
    let mut add = |name: &str, value: String| figures.push((name.to_owned(), value));
    let rate = |count: u64| count as f64 / seconds(gathered).max(1e-9);
    for (name, count) in snapshot.totals.named() {
        add(
            &name.replace('_', " "),
            format!("{count} ({}/s)", number(rate(count))),
        );
    }
    if let Some(last) = gathered.series.points.last() {
        let use_of = last.fullest.map_or(String::new(), |fullest| {
            format!(" ({} % of the limit)", number(fullest.percent()))
        });
        add("entries at the end", format!("{}{use_of}", last.entries));
    }
    if let (Some(p50), Some(p99)) = (snapshot.durations.quantile(500), snapshot.durations.quantile(990)) {
        add("nf_conntrack_in, median", duration(p50));
        add("nf_conntrack_in, 99 % at most", duration(p99));
    }
    figures
}

/// The number of entries, and the limit unless it would flatten their line.
fn table_use(gathered: &Gathered) -> Chart {
    let series = &gathered.series;
    let end_s = series.length_s();
    let most = |of: &dyn Fn(&Point) -> Option<u64>| series.points.iter().filter_map(of).max();
    let entries = most(&|point| Some(point.entries)).unwrap_or(0);
    let limit = most(&|point| Some(point.fullest?.max));
    let is_near = limit.is_some_and(|limit| limit <= entries.saturating_mul(4));
    let several = gathered.collector.tables().len() > 1;
    let fullest =
        |of: fn(crate::report::Fullest) -> u64| series.values(move |point| Some(of(point.fullest?) as f64));
    let name = if several { "all tables" } else { "entries" };
    let mut lines = vec![(name, series.values(|point| Some(point.entries as f64)))];
    if several {
        lines.push(("fullest table", fullest(|of| of.entries)));
    }
    if is_near {
        let name = if several { "limit of the fullest" } else { "limit" };
        lines.push((name, fullest(|of| of.max)));
    }
    let mut chart = Chart::lines("Entries in the table", "entries", end_s, lines);
    chart.note = match limit {
        Some(limit) if !is_near => Some(format!("limit {limit}, not drawn")),
        Some(_) => None,
        None => Some("limit unknown".to_owned()),
    };
    chart
}

fn charts(gathered: &Gathered) -> Vec<Chart> {
    let series = &gathered.series;
    let end_s = series.length_s();
    let rate = |of: fn(&Point) -> u64| series.rates(of);
    let bars = gathered
        .collector
        .durations()
        .octaves()
        .into_iter()
        .map(|(least, count)| (duration(least), count))
        .collect();
    vec![
        table_use(gathered),
        Chart::stack("Entries by state", "entries", end_s, states(gathered)),
        Chart::lines(
            "Packets",
            "packets per second",
            end_s,
            [("packets", rate(|point| point.totals.packets))],
        ),
        Chart::lines(
            "Entries inserted and deleted",
            "entries per second",
            end_s,
            [
                ("inserted", rate(|point| point.totals.inserted)),
                ("deleted", rate(|point| point.totals.deleted)),
            ],
        ),
        Chart::lines(
            "INVALID packets, drops, failed inserts, lost records",
            "per second",
            end_s,
            [
                ("INVALID", rate(|point| point.totals.invalid)),
                ("dropped", rate(|point| point.totals.dropped)),
                ("insert failed", rate(|point| point.totals.insert_failed)),
                ("lost", rate(|point| point.totals.lost)),
            ],
        ),
        Chart::stack("Causes", "per second", end_s, by_cause(gathered)),
        Chart::new(
            "Durations of nf_conntrack_in",
            "packets by duration",
            0.0,
            Plot::Bars(bars),
        ),
        Chart::new(
            "Durations of nf_conntrack_in over time",
            "packets",
            end_s,
            Plot::Heat(Heat::of(series)),
        ),
    ]
}

/// The most frequent states as layers.
fn states(gathered: &Gathered) -> Vec<(String, Values)> {
    let series = &gathered.series;
    let mut sums: Vec<(State, u64)> = Vec::new();
    for (state, count) in series.points.iter().flat_map(|point| &point.states) {
        match sums.iter_mut().find(|(of, _)| of == state) {
            Some((_, sum)) => *sum += count,
            None => sums.push((*state, *count)),
        }
    }
    sums.sort_by_key(|(state, sum)| (std::cmp::Reverse(*sum), *state));
    let shown: Vec<State> = sums.iter().take(LAYERS).map(|(state, _)| *state).collect();
    let mut layers: Vec<(String, Values)> = shown
        .iter()
        .map(|state| {
            let values = series.values(|point| Some(point.in_state(*state) as f64));
            (state_name(*state), values)
        })
        .collect();
    if sums.len() > LAYERS {
        let rest = series.values(|point| {
            let drawn: u64 = shown.iter().map(|state| point.in_state(*state)).sum();
            Some(point.population.saturating_sub(drawn) as f64)
        });
        layers.push(("others".to_owned(), rest));
    }
    layers
}

fn state_name((protonum, state): State) -> String {
    let mut out = Vec::new();
    words::protocol(&mut out, protonum);
    let protocol = String::from_utf8_lossy(&out).into_owned();
    match names::state(protonum, state) {
        Some(state) => format!("{protocol} {state}"),
        None => protocol,
    }
}

/// The most frequent causes as layers.
fn by_cause(gathered: &Gathered) -> Vec<(String, Values)> {
    let series = &gathered.series;
    let causes = gathered.collector.causes();
    let mut order: Vec<usize> = (0..causes.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(causes.get(*index).map_or(0, |of| of.count)));
    let (shown, rest) = order.split_at(order.len().min(LAYERS));
    let mut layers: Vec<(String, Values)> = shown
        .iter()
        .filter_map(|index| {
            let name = causes.get(*index)?.cause.name();
            Some((name.to_owned(), series.rates(|point| point.of_cause(*index))))
        })
        .collect();
    if !rest.is_empty() {
        let of_rest = |point: &Point| rest.iter().map(|index| point.of_cause(*index)).sum();
        layers.push(("others".to_owned(), series.rates(of_rest)));
    }
    layers
}
