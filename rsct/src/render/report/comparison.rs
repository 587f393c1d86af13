//! The page about two recordings.

use super::{
    chart::{Chart, number},
    document::{Block, Document, Section, shown},
    page::subtitle,
    recorded::facts,
};
use crate::{
    render::top::table::{Cell, Row, Subject, Table, duration},
    report::{
        Finding, Gathered, Point, Values, Weight,
        compare::{Comparison, Difference, LEVEL, Noise, Unit, compare, verdicts},
    },
    source::recorded::Start,
};

/// A recording of a comparison.
#[derive(Debug)]
pub(crate) struct Side {
    /// Its figures.
    pub gathered: Gathered,
    /// Its first note.
    pub start: Start,
    /// Its files.
    pub files: String,
}

/// Makes the page.
pub(crate) fn comparison(before: &Side, after: &Side) -> Document {
    let compared = compare(&before.gathered, &after.gathered);
    let mut findings = verdicts(&compared, [&before.gathered, &after.gathered], line);
    let others = unequal(before, after);
    if !others.is_empty() {
        let text = format!("The recordings differ in {}.", others.join(", "));
        findings.push(Finding::new(Weight::Note, &shown(&text), None));
    }
    let host = match before.start.host == after.start.host {
        true => before.start.host.clone(),
        false => format!("{} and {}", before.start.host, after.start.host),
    };
    let side = |side: &Side, name: &str| {
        let facts = facts(&side.gathered, &side.start, &side.files);
        Block::Facts(name.to_owned(), facts)
    };
    Document {
        title: shown(&format!("rsct report: {host}, before and after")),
        subtitle: format!(
            "BEFORE: {}. AFTER: {}.",
            subtitle(&before.gathered, &before.start),
            subtitle(&after.gathered, &after.start)
        ),
        sections: vec![
            Section {
                heading: "Findings",
                blocks: vec![Block::Findings(findings)],
            },
            Section {
                heading: "Figures",
                blocks: vec![
                    Block::Text(method(&compared)),
                    Block::Table("Before and after".to_owned(), table(&compared)),
                ],
            },
            Section {
                heading: "Over time",
                blocks: vec![Block::Charts(charts(&before.gathered, &after.gathered))],
            },
            Section {
                heading: "The recordings",
                blocks: vec![side(before, "BEFORE"), side(after, "AFTER")],
            },
        ],
    }
}

/// The method, in one sentence.
fn method(compared: &Comparison) -> String {
    format!(
        "Each recording is cut into {} equal intervals; a difference is beyond the noise if a rank test of their values \
         (Mann-Whitney, exact, two-sided) finds so great a one by chance in fewer than {:.0} of 100 comparisons, all figures \
         together.",
        compared.intervals[0].max(compared.intervals[1]),
        LEVEL * 100.0
    )
}

fn value(unit: Unit, value: Option<f64>) -> String {
    let Some(value) = value else {
        return "none".to_owned();
    };
    match unit {
        Unit::PerSecond => format!("{}/s", number(value)),
        Unit::BytesPerSecond => format!("{}B/s", number(value)),
        Unit::Entries => number(value),
        Unit::Percent => format!("{} %", number(value)),
        Unit::Ns => duration(value.max(0.0) as u64),
    }
}

fn change(difference: &Difference) -> String {
    match (difference.percent(), difference.before, difference.after) {
        (Some(percent), ..) if percent.abs() < 0.05 => "0 %".to_owned(),
        (Some(percent), ..) if percent.abs() >= 1000.0 => format!("x {}", number(percent / 100.0 + 1.0)),
        (Some(percent), ..) => format!("{percent:+.1} %"),
        (None, Some(_), Some(0.0)) => "0 %".to_owned(),
        (None, Some(_), Some(_)) => "from 0".to_owned(),
        _ => "-".to_owned(),
    }
}

/// A figure in one line.
fn line(difference: &Difference) -> String {
    format!(
        "{}: {} before, {} after ({}).",
        difference.name,
        value(difference.unit, difference.before),
        value(difference.unit, difference.after),
        change(difference)
    )
}

fn table(compared: &Comparison) -> Table {
    let noise = |noise: &Noise| match noise {
        Noise::Beyond(chance) if *chance < 1e-6 => "beyond (chance below 0.000001)".to_owned(),
        Noise::Beyond(chance) => format!("beyond (chance {chance:.6})"),
        Noise::Within(chance) => format!("within (chance {chance:.2})"),
        Noise::Unknown(reason) => format!("unknown: {reason}"),
    };
    let row = |difference: &Difference| Row {
        cells: vec![
            Cell::Text(difference.name.clone()),
            Cell::Right(value(difference.unit, difference.before)),
            Cell::Right(value(difference.unit, difference.after)),
            Cell::Right(change(difference)),
            Cell::Text(noise(&difference.noise)),
        ],
        subject: Subject::Nothing,
    };
    Table {
        columns: vec!["FIGURE", "BEFORE", "AFTER", "CHANGE", "NOISE"],
        rows: compared.differences.iter().map(row).collect(),
        empty: "Neither recording has a figure.",
    }
}

/// Circumstances that differ.
fn unequal(before: &Side, after: &Side) -> Vec<String> {
    let kernel = |side: &Side| format!("{} {}", side.start.kernel, side.start.machine);
    let command = |side: &Side| {
        // The name of the file always differs.
        let mut words = side.start.command.iter();
        let mut kept = Vec::new();
        while let Some(word) = words.next() {
            match word.as_str() {
                "-O" | "--output-file" => drop(words.next()),
                _ => kept.push(word.as_str()),
            }
        }
        kept.join(" ")
    };
    let pairs = [
        ("host", before.start.host.clone(), after.start.host.clone()),
        ("kernel", kernel(before), kernel(after)),
        ("rsct", before.start.rsct.clone(), after.start.rsct.clone()),
        ("command", command(before), command(after)),
    ];
    pairs
        .into_iter()
        .filter(|(_, before, after)| before != after)
        .map(|(name, before, after)| format!("{name} ({before} / {after})"))
        .collect()
}

fn charts(before: &Gathered, after: &Gathered) -> Vec<Chart> {
    let end_s = before.series.length_s().max(after.series.length_s());
    let both = |of: &dyn Fn(&Gathered) -> Values| [("before", of(before)), ("after", of(after))];
    let quantile = |per_mille: u16| {
        move |gathered: &Gathered| {
            let value = |from: &Point, to: &Point| {
                let value = to.durations.since(&from.durations).quantile(per_mille)?;
                Some(value as f64 / 1000.0)
            };
            gathered.series.measured(value)
        }
    };
    let faults = |gathered: &Gathered| {
        gathered
            .series
            .rates(|point| point.totals.invalid + point.totals.dropped + point.totals.insert_failed)
    };
    vec![
        Chart::lines(
            "Durations of nf_conntrack_in, median",
            "microseconds",
            end_s,
            both(&quantile(500)),
        ),
        Chart::lines(
            "Durations of nf_conntrack_in, 99 % at most",
            "microseconds",
            end_s,
            both(&quantile(990)),
        ),
        Chart::lines(
            "Entries in all tables",
            "entries",
            end_s,
            both(&|gathered| gathered.series.values(|point| Some(point.entries as f64))),
        ),
        Chart::lines(
            "INVALID packets, drops and failed inserts",
            "per second",
            end_s,
            both(&faults),
        ),
        Chart::lines(
            "Packets",
            "packets per second",
            end_s,
            both(&|gathered| gathered.series.rates(|point| point.totals.packets)),
        ),
        Chart::lines(
            "Entries inserted",
            "entries per second",
            end_s,
            both(&|gathered| gathered.series.rates(|point| point.totals.inserted)),
        ),
    ]
}
