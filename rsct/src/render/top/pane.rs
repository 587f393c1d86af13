//! The panes: each is a table of an interval's figures.

use rsct_common::{
    Tuple,
    names::{self, proto},
};

use crate::{
    causes::tally::{FlowName, TaskName},
    kernel::interfaces::Names,
    schema::common::address,
    snapshot::{Figures, Interval},
};

use super::super::words;

use super::{
    overview,
    table::{Cell, Row, Subject, Table},
};

/// A pane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pane {
    /// Use of the tables, and rates.
    Overview,
    /// Flows.
    Flows,
    /// Causes of INVALID packets, drops, failed inserts and deletions.
    Causes,
    /// Sources.
    Sources,
    /// Destinations.
    Destinations,
    /// Processes.
    Tasks,
    /// Namespaces.
    Namespaces,
    /// Entries by protocol and state.
    Entries,
    /// Durations of `nf_conntrack_in`.
    Latency,
}

/// The most rows of a pane.
const MOST_ROWS: usize = 200;

impl Pane {
    /// All panes; the number of a pane is the key that shows it.
    pub(crate) const ALL: [Self; 9] = [
        Self::Overview,
        Self::Flows,
        Self::Causes,
        Self::Sources,
        Self::Destinations,
        Self::Tasks,
        Self::Namespaces,
        Self::Entries,
        Self::Latency,
    ];

    /// Its name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Flows => "flows",
            Self::Causes => "causes",
            Self::Sources => "sources",
            Self::Destinations => "destinations",
            Self::Tasks => "tasks",
            Self::Namespaces => "namespaces",
            Self::Entries => "entries",
            Self::Latency => "latency",
        }
    }

    /// The column that it is sorted by at first.
    pub(crate) fn first_column(self) -> usize {
        match self {
            Self::Overview | Self::Latency => usize::MAX,
            _ => 1,
        }
    }

    /// Its table. `column` selects the leaders: those with the highest figures in it.
    pub(crate) fn table(self, interval: &Interval<'_>, names: &Names, column: usize) -> Table {
        let by = |figures: &Figures| match column {
            2 => figures.bytes,
            3 => figures.created,
            4 => figures.cost_ns,
            _ => figures.packets,
        };
        match self {
            Self::Overview => overview::table(interval, names),
            Self::Flows => leaders("FLOW", interval, interval.flows(MOST_ROWS, by), |name| {
                (flow(name, names), Subject::Flow(*name))
            }),
            Self::Sources => leaders("SOURCE", interval, interval.sources(MOST_ROWS, by), |source| {
                let text = in_netns(&address(source.addr), source.netns, names);
                (text, Subject::Nothing)
            }),
            Self::Destinations => {
                let rows = interval.destinations(MOST_ROWS, by);
                leaders("DESTINATION", interval, rows, |to| {
                    let mut out = Vec::new();
                    words::protocol(&mut out, to.protonum);
                    let protocol = String::from_utf8_lossy(&out).into_owned();
                    let end = match proto::has_ports(to.protonum) {
                        true => std::net::SocketAddr::new(to.addr, to.port).to_string(),
                        false => address(to.addr),
                    };
                    (
                        in_netns(&format!("{protocol} {end}"), to.netns, names),
                        Subject::Nothing,
                    )
                })
            }
            Self::Tasks => leaders("TASK", interval, interval.tasks(MOST_ROWS, by), |name| {
                (task(name), Subject::Nothing)
            }),
            Self::Namespaces => {
                // All of them: a machine has hundreds, and each may have a table that fills.
                let rows = interval.namespaces(usize::MAX, by);
                leaders("NAMESPACE", interval, rows, |netns| {
                    (printable(names.netns(*netns).as_str()), Subject::Nothing)
                })
            }
            Self::Causes => causes(interval),
            Self::Entries => entries(interval, names),
            Self::Latency => latency(interval),
        }
    }
}

fn leaders<K>(
    name: &'static str,
    interval: &Interval<'_>,
    leaders: Vec<(K, Figures)>,
    named: impl Fn(&K) -> (String, Subject),
) -> Table {
    let row = |(key, figures): (K, Figures)| {
        let (text, subject) = named(&key);
        Row {
            cells: vec![
                Cell::Text(text),
                Cell::Rate(interval.per_second(figures.packets)),
                Cell::Bytes(figures.bytes),
                Cell::Count(figures.created),
                Cell::Ns(figures.cost_ns),
            ],
            subject,
        }
    };
    Table {
        columns: vec![name, "PACKETS", "BYTES", "NEW", "COST"],
        rows: leaders.into_iter().map(row).collect(),
        empty: "No packets in this interval.",
    }
}

fn causes(interval: &Interval<'_>) -> Table {
    let row = |(of, count): (&crate::snapshot::OfCause, u64)| Row {
        cells: vec![
            Cell::Text(of.cause.name().to_owned()),
            Cell::Rate(interval.per_second(count)),
            Cell::Count(of.count),
            Cell::Text(of.counted_by().to_owned()),
            Cell::Text(of.cause.family().name().to_owned()),
            Cell::Text(of.cause.advice().to_owned()),
        ],
        subject: Subject::Cause(of.cause),
    };
    Table {
        columns: vec!["CAUSE", "RATE", "TOTAL", "COUNTED", "TOPIC", "ADVICE"],
        rows: interval.causes().into_iter().map(row).collect(),
        empty: "Nothing was INVALID, dropped, not inserted or deleted in this interval.",
    }
}

fn entries(interval: &Interval<'_>, names: &Names) -> Table {
    let row = |(class, count): (crate::snapshot::Class, u64)| {
        let mut out = Vec::new();
        words::protocol(&mut out, class.protonum);
        let protocol = String::from_utf8_lossy(&out).into_owned();
        let state = names::state(class.protonum, class.state).unwrap_or("-");
        Row {
            cells: vec![
                Cell::Text(protocol),
                Cell::Count(count),
                Cell::Text(state.to_owned()),
                Cell::Text(class.zone.to_string()),
                Cell::Text(printable(names.netns(class.netns).as_str())),
            ],
            subject: Subject::Nothing,
        }
    };
    Table {
        columns: vec!["PROTOCOL", "ENTRIES", "STATE", "ZONE", "NAMESPACE"],
        rows: interval.now.population.classes().map(row).collect(),
        empty: "The table is empty, as far as records and dumps show.",
    }
}

fn latency(interval: &Interval<'_>) -> Table {
    let octaves = interval.durations.octaves();
    let all: u64 = octaves.iter().map(|(_, count)| *count).sum();
    let most = octaves.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    let row = |(least, count): (u64, u64)| Row {
        cells: vec![
            Cell::Ns(least),
            Cell::Count(count),
            Cell::Text(format!("{:.1} %", count as f64 * 100.0 / all.max(1) as f64)),
            Cell::Text("#".repeat((count * 40).div_ceil(most) as usize)),
        ],
        subject: Subject::Nothing,
    };
    Table {
        columns: vec!["FROM", "PACKETS", "SHARE", ""],
        rows: octaves.into_iter().map(row).collect(),
        empty: "No packet was timed in this interval.",
    }
}

/// A flow in one line.
pub(crate) fn flow(name: &FlowName, names: &Names) -> String {
    let mut out = Vec::new();
    words::tuple(&mut out, &Tuple::from_words(name.tuple));
    let mut text = String::from_utf8_lossy(&out).into_owned();
    if name.zone != 0 {
        text.push_str(&format!(" zone={}", name.zone));
    }
    in_netns(&text, name.netns, names)
}

fn task(name: &TaskName) -> String {
    let comm = String::from_utf8_lossy(names::comm(&name.comm)).into_owned();
    format!("{} {}", name.pid, printable(&comm))
}

/// A text and the namespace, where there are several.
pub(super) fn in_netns(text: &str, netns: u32, names: &Names) -> String {
    match names.has_several_netns() {
        true => format!("{text} @{}", printable(names.netns(netns).as_str())),
        false => text.to_owned(),
    }
}

/// Without characters that would control a terminal.
pub(crate) fn printable(text: &str) -> String {
    // Controls of the writing direction reorder the text around them.
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let character = |c: char| if is_hidden(c) { '\u{fffd}' } else { c };
    text.chars().map(character).collect()
}

/// A flow that sent nothing in the interval.
pub(crate) fn silent_flow(name: &FlowName, names: &Names) -> Row {
    Row {
        cells: vec![
            Cell::Text(flow(name, names)),
            Cell::Rate(0.0),
            Cell::Bytes(0),
            Cell::Count(0),
            Cell::Ns(0),
        ],
        subject: Subject::Flow(*name),
    }
}
