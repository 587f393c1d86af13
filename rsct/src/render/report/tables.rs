//! The tables of the page: causes with examples, leaders, the use of tables, losses.

use rsct_common::loss::Loss;

use super::document::{Block, CauseCard, shown};
use crate::{
    causes::tally::FlowName,
    plural,
    render::top::{
        pane::{Pane, flow, printable},
        table::{Cell, Row, Subject, Table},
    },
    report::{Gathered, sentence},
    snapshot::{Snapshot, TableUse},
};

/// Rows of each table.
const ROWS: usize = 20;
/// Flows that are examples of a cause.
const EXAMPLES: usize = 3;

/// The causes, the most frequent first.
pub(super) fn causes(gathered: &Gathered, snapshot: &Snapshot) -> Block {
    let mut causes: Vec<_> = snapshot.causes.iter().collect();
    causes.sort_by_key(|of| (std::cmp::Reverse(of.count), of.cause.name()));
    let cards: Vec<CauseCard> = causes
        .into_iter()
        .take(ROWS)
        .map(|of| {
            let example = |(name, count): (FlowName, u64)| {
                let times = plural::count(count, "time", "times");
                let text = flow(&name, &gathered.names);
                // The record has no namespace.
                let text = match name.netns {
                    0 => text.trim_end_matches(" @0"),
                    _ => text.as_str(),
                };
                shown(&format!("{text} ({times})"))
            };
            let kinds = of.flows.kinds();
            let flows = match kinds {
                0 => String::new(),
                _ if of.flows.others > 0 => format!(", more than {kinds} flows"),
                _ => format!(", {}", plural::count(kinds as u64, "flow", "flows")),
            };
            CauseCard {
                name: of.cause.name(),
                topic: of.cause.family().name(),
                count: format!("{}{flows}", plural::count(of.count, "time", "times")),
                meaning: sentence(of.cause.meaning()),
                advice: Some(of.cause.advice())
                    .filter(|advice| !advice.is_empty())
                    .map(sentence),
                examples: of.flows.first(EXAMPLES).into_iter().map(example).collect(),
            }
        })
        .collect();
    match cards.is_empty() {
        true => Block::Text("Nothing was INVALID, dropped, not inserted or deleted.".to_owned()),
        false => Block::Causes(cards),
    }
}

/// The flows, sources, … with the most packets, and the tables.
pub(super) fn tables(gathered: &Gathered, snapshot: &Snapshot) -> Vec<Block> {
    let start = Snapshot {
        time_ns: gathered.collector.started_ns(),
        ..Snapshot::default()
    };
    let interval = snapshot.since(&start);
    let captions = [
        (Pane::Flows, "Flows"),
        (Pane::Sources, "Sources"),
        (Pane::Destinations, "Destinations"),
        (Pane::Tasks, "Tasks"),
        (Pane::Namespaces, "Network namespaces"),
        (Pane::Entries, "Entries at the end"),
    ];
    let pane = |(pane, caption): (Pane, &str)| {
        let mut table = pane.table(&interval, &gathered.names, pane.first_column());
        table.sort(pane.first_column(), false);
        if pane != Pane::Entries {
            table.empty = "No packets.";
        }
        limited(caption, table)
    };
    let mut blocks: Vec<Block> = captions.into_iter().map(pane).collect();
    blocks.push(limited(
        "Use of each table at the end",
        table_use(gathered, snapshot),
    ));
    blocks
}

/// The first rows, and how many there are.
fn limited(caption: &str, mut table: Table) -> Block {
    let count = table.rows.len();
    table.rows.truncate(ROWS);
    let caption = match count > ROWS {
        true => format!("{caption}: the first {ROWS} of at least {count}"),
        false => caption.to_owned(),
    };
    Block::Table(caption, table)
}

fn table_use(gathered: &Gathered, snapshot: &Snapshot) -> Table {
    let percent = |table: &TableUse| {
        let max = table.max.filter(|max| *max > 0)?;
        Some(table.entries as f64 * 100.0 / f64::from(max))
    };
    let mut tables: Vec<&TableUse> = snapshot.tables.iter().collect();
    tables.sort_by(|a, b| {
        let use_of = |table| percent(table).unwrap_or(-1.0);
        use_of(b)
            .total_cmp(&use_of(a))
            .then(b.entries.cmp(&a.entries))
            .then(a.netns.cmp(&b.netns))
    });
    let row = |table: &TableUse| Row {
        cells: vec![
            Cell::Text(printable(gathered.names.netns(table.netns).as_str())),
            Cell::Count(table.entries),
            table.max.map_or(Cell::Unknown, |max| Cell::Count(u64::from(max))),
            percent(table).map_or(Cell::Unknown, |percent| Cell::Right(format!("{percent:.1} %"))),
        ],
        subject: Subject::Nothing,
    };
    Table {
        columns: vec!["NAMESPACE", "ENTRIES", "LIMIT", "USE"],
        rows: tables.into_iter().map(row).collect(),
        empty: "No table was read.",
    }
}

/// Lost records by kind, and failed dumps.
pub(super) fn losses(gathered: &Gathered) -> Vec<Block> {
    let summary = gathered.summary();
    let mut rows = Vec::new();
    let mut add = |kind: &str, count: u64, cpus: usize, meaning: &str| {
        if count > 0 {
            rows.push(Row {
                cells: vec![
                    Cell::Text(kind.to_owned()),
                    Cell::Count(count),
                    match cpus {
                        0 => Cell::Unknown,
                        cpus => Cell::Count(cpus as u64),
                    },
                    Cell::Text(sentence(meaning)),
                ],
                subject: Subject::Nothing,
            });
        }
    };
    for loss in Loss::ALL {
        let kind = loss as usize;
        let of_cpus = summary.lost.per_cpu.iter();
        let cpus = of_cpus
            .filter(|counts| counts.get(kind).is_some_and(|count| *count > 0))
            .count();
        add(loss.name(), summary.lost.of(kind), cpus, loss.meaning());
    }
    add(
        "skipped",
        summary.skips.counted,
        0,
        "the kernel did not run a program, because another was running on that CPU",
    );
    add(
        "causes",
        summary.causes_lost,
        0,
        "the packet or entry is shown without its cause",
    );
    add(
        "malformed",
        summary.malformed,
        0,
        "rsct cannot read the record: please report it",
    );
    let mut blocks = vec![Block::Table(
        "Lost records".to_owned(),
        Table {
            columns: vec!["KIND", "RECORDS", "CPUS", "MEANING"],
            rows,
            empty: match (gathered.is_torn, gathered.is_part) {
                (true, _) => "Unknown: the recorder's count of losses is missing.",
                (_, true) => {
                    "Unknown for a part of a recording; the findings contain the losses that it reports."
                }
                _ => "No record was lost.",
            },
        },
    )];
    if summary.skips.uncounted || summary.causes_lost_uncounted {
        blocks.push(Block::Text(
            "The kernel does not count the kprobes that it skips while another runs on that CPU: more records may be missing."
                .to_owned(),
        ));
    }
    let errors = summary.dump_errors.len();
    for error in summary.dump_errors.iter().take(ROWS) {
        blocks.push(Block::Text(format!("Failed dump: {}", shown(error))));
    }
    if errors > ROWS {
        blocks.push(Block::Text(format!("{} failed dumps more.", errors - ROWS)));
    }
    blocks
}
