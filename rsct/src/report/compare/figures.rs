//! The figures that are compared, of the whole recordings and of their intervals.

use std::collections::{BTreeMap, BTreeSet};

use rsct_common::record::CauseFamily;

use super::super::{Gathered, Point, series::rate};
use crate::snapshot::Totals;

/// The most causes that are compared: those with the most records.
const MOST_CAUSES: usize = 20;

/// The unit of a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Per second.
    PerSecond,
    /// Bytes per second.
    BytesPerSecond,
    /// Entries.
    Entries,
    /// Percent.
    Percent,
    /// Nanoseconds.
    Ns,
}

/// The meaning of growth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Concern {
    /// Packets became slower.
    Slower,
    /// Tables became fuller.
    Fuller,
    /// Faults became more frequent.
    Worse,
    /// The load grew.
    Load,
}

/// A figure of both recordings.
#[derive(Debug)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) unit: Unit,
    pub(super) concern: Concern,
    /// Of the whole recordings.
    pub(super) whole: [Option<f64>; 2],
    /// Of their intervals. An interval without the figure has none.
    pub(super) values: [Vec<f64>; 2],
}

/// The begins and ends of intervals.
pub(super) type Intervals<'a> = [Vec<(&'a Point, &'a Point)>; 2];

/// Measures a figure between two moments.
type Measure<'a> = &'a dyn Fn(&Point, &Point) -> Option<f64>;

/// All figures of both.
pub(super) fn of(before: &Gathered, after: &Gathered, intervals: &Intervals<'_>) -> Vec<Figure> {
    let both = [before, after];
    let mut figures = Vec::new();
    let mut add = |name: &str, unit, concern, measures: [Measure<'_>; 2]| {
        let whole = [0, 1].map(|side| whole(both[side], unit, &intervals[side], measures[side]));
        let values = [0, 1].map(|side| {
            let values = intervals[side].iter();
            values
                .filter_map(|(from, to)| measures[side](from, to))
                .collect::<Vec<f64>>()
        });
        if whole.iter().any(Option::is_some) {
            figures.push(Figure {
                name: name.to_owned(),
                unit,
                concern,
                whole,
                values,
            });
        }
    };
    for (name, per_mille) in [("median", 500), ("99 % at most", 990)] {
        let quantile: Measure<'_> =
            &|from, to| Some(to.durations.since(&from.durations).quantile(per_mille)? as f64);
        let name = format!("duration of nf_conntrack_in, {name}");
        add(&name, Unit::Ns, Concern::Slower, [quantile; 2]);
    }
    let entries: Measure<'_> = &|_, to| Some(to.entries as f64);
    add("entries, mean", Unit::Entries, Concern::Fuller, [entries; 2]);
    let used: Measure<'_> = &|_, to| to.fullest.map(|fullest| fullest.percent());
    add(
        "use of the fullest table, mean",
        Unit::Percent,
        Concern::Fuller,
        [used; 2],
    );
    for (name, of) in FAULTS {
        let measure: Measure<'_> = &|from, to| rate(from, to, |point| of(&point.totals));
        add(name, Unit::PerSecond, Concern::Worse, [measure; 2]);
    }
    for name in causes(both) {
        let indices = both.map(|gathered| {
            let mut causes = gathered.collector.causes().iter();
            causes.position(|of| of.cause.name() == name)
        });
        let of = |side: usize| {
            let index: Option<usize> = indices[side];
            move |from: &Point, to: &Point| {
                rate(from, to, |point| index.map_or(0, |index| point.of_cause(index)))
            }
        };
        add(name, Unit::PerSecond, Concern::Worse, [&of(0), &of(1)]);
    }
    for (name, of) in LOAD {
        let unit = match name {
            "bytes" => Unit::BytesPerSecond,
            _ => Unit::PerSecond,
        };
        let measure: Measure<'_> = &|from, to| rate(from, to, |point| of(&point.totals));
        add(name, unit, Concern::Load, [measure; 2]);
    }
    figures
}

/// A total with its name.
type NamedTotal = (&'static str, fn(&Totals) -> u64);

const FAULTS: [NamedTotal; 4] = [
    ("INVALID packets", |totals| totals.invalid),
    ("dropped packets", |totals| totals.dropped),
    ("failed inserts", |totals| totals.insert_failed),
    ("lost records", |totals| totals.lost),
];

const LOAD: [NamedTotal; 5] = [
    ("packets", |totals| totals.packets),
    ("bytes", |totals| totals.bytes),
    ("created entries", |totals| totals.created),
    ("inserted entries", |totals| totals.inserted),
    ("deleted entries", |totals| totals.deleted),
];

/// The figure of a whole recording: levels are means of the intervals, all others come from the first and last moment.
fn whole(
    gathered: &Gathered,
    unit: Unit,
    intervals: &[(&Point, &Point)],
    measure: Measure<'_>,
) -> Option<f64> {
    if matches!(unit, Unit::Entries | Unit::Percent) {
        let values: Vec<f64> = intervals
            .iter()
            .filter_map(|(from, to)| measure(from, to))
            .collect();
        return (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
    }
    let points = &gathered.series.points;
    measure(points.first()?, points.last()?)
}

/// The names of the causes of faults in either recording, the most frequent first.
fn causes(both: [&Gathered; 2]) -> Vec<&'static str> {
    let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
    for of in both.iter().flat_map(|gathered| gathered.collector.causes()) {
        if of.cause.family() != CauseFamily::Delete {
            *counts.entry(of.cause.name()).or_default() += of.count;
        }
    }
    let sorted: BTreeSet<(std::cmp::Reverse<u64>, &'static str)> = counts
        .into_iter()
        .map(|(name, count)| (std::cmp::Reverse(count), name))
        .collect();
    sorted
        .into_iter()
        .take(MOST_CAUSES)
        .map(|(_, name)| name)
        .collect()
}
