//! The first pane: use of the tables, and rates.

use crate::{
    kernel::interfaces::Names,
    snapshot::{Interval, TableUse},
};

use super::{
    pane::in_netns,
    table::{Cell, Row, Subject, Table},
};

/// Tables that have a row each: the fullest.
const MOST_TABLES: usize = 6;

/// The table of the pane.
pub(super) fn table(interval: &Interval<'_>, names: &Names) -> Table {
    let mut rows = Vec::new();
    tables(&mut rows, interval, names);
    totals(&mut rows, interval);
    if interval.now.culprits.are_bounds() {
        let note = "figures of single flows, sources, destinations and tasks may be too low";
        rows.push(row("too many", Cell::Unknown, Cell::Unknown, note));
    }
    for unfired in &interval.now.unfired {
        rows.push(row("hook", Cell::Unknown, Cell::Unknown, unfired));
    }
    Table {
        columns: vec!["WHAT", "RATE", "TOTAL", ""],
        rows,
        empty: "",
    }
}

fn row(name: &str, rate: Cell, total: Cell, note: &str) -> Row {
    Row {
        cells: vec![
            Cell::Text(name.to_owned()),
            rate,
            total,
            Cell::Text(note.to_owned()),
        ],
        subject: Subject::Nothing,
    }
}

/// The use of the fullest tables, and of all others together.
fn tables(rows: &mut Vec<Row>, interval: &Interval<'_>, names: &Names) {
    let all = &interval.now.tables;
    let mut tables: Vec<&TableUse> = all.iter().collect();
    if all.len() > MOST_TABLES {
        tables.sort_by(|a, b| share(b).total_cmp(&share(a)).then(b.entries.cmp(&a.entries)));
    }
    let others = tables.split_off(all.len().min(MOST_TABLES));
    for table in tables {
        let growth = interval.growth(table);
        let note = match table.max {
            None => "limit unknown".to_owned(),
            Some(max) => {
                let full = table.full_in_s(growth, interval.length_ns);
                let full = full.map_or(String::new(), |s| format!(", full in {s} s at this rate"));
                format!("{:.1} % of {max}{full}", share(table) * 100.0)
            }
        };
        let name = in_netns("entries", table.netns, names);
        rows.push(row(
            &name,
            rate(interval, growth),
            Cell::Count(table.entries),
            &note,
        ));
    }
    if !others.is_empty() {
        let entries = others.iter().map(|table| table.entries).sum();
        let growth = others.iter().map(|table| interval.growth(table)).sum();
        let note = format!("in {} more namespaces", others.len());
        rows.push(row(
            "entries",
            rate(interval, growth),
            Cell::Count(entries),
            &note,
        ));
    }
}

/// The part of its limit that a table uses; 0 if the limit is unknown.
fn share(table: &TableUse) -> f64 {
    table
        .max
        .map_or(0.0, |max| table.entries as f64 / f64::from(max.max(1)))
}

fn rate(interval: &Interval<'_>, growth: i64) -> Cell {
    let sign = if growth < 0 { "-" } else { "+" };
    let rate = Cell::Rate(interval.per_second(growth.unsigned_abs()));
    Cell::Text(format!("{sign}{}", rate.text()))
}

fn totals(rows: &mut Vec<Row>, interval: &Interval<'_>) {
    let totals = interval.now.totals.named();
    for ((name, grown), (_, total)) in interval.totals.named().into_iter().zip(totals) {
        let note = match name {
            "lost" if total > 0 => "records were lost: other figures are too low",
            _ => "",
        };
        let total = match name {
            "bytes" => Cell::Bytes(total),
            _ => Cell::Count(total),
        };
        rows.push(row(name, Cell::Rate(interval.per_second(grown)), total, note));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Snapshot;

    #[test]
    fn three_hundred_namespaces_leave_room_for_rates() {
        let now = Snapshot {
            time_ns: 1_000_000_000,
            tables: (1..=300)
                .map(|netns| TableUse {
                    netns,
                    entries: u64::from(netns),
                    max: Some(1000),
                })
                .collect(),
            ..Snapshot::default()
        };
        let earlier = Snapshot::default();
        let table = table(&now.since(&earlier), &Names::default());
        let texts: Vec<String> = table.rows.iter().map(|row| row.cells[3].text()).collect();
        assert_eq!(texts[0], "30.0 % of 1000");
        assert_eq!(texts[MOST_TABLES], "in 294 more namespaces");
        assert_eq!(table.rows[MOST_TABLES].cells[2], Cell::Count((1..=294).sum()));
        assert!(table.rows.len() < 20, "{} rows", table.rows.len());
    }
}
