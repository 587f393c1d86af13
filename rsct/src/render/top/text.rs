//! The figures of an interval as text.

use std::io::Write as _;

use crate::{kernel::interfaces::Names, snapshot::Interval};

use super::{pane::Pane, table::Table};

/// Rows of each table.
const ROWS: usize = 10;

/// Appends every pane that has rows.
pub(crate) fn write(out: &mut Vec<u8>, interval: &Interval<'_>, names: &Names) {
    let _ = writeln!(out, "=== {:.1} s ===", interval.length_ns as f64 / 1e9);
    for pane in Pane::ALL {
        let mut table = pane.table(interval, names, pane.first_column());
        if table.rows.is_empty() {
            continue;
        }
        if pane != Pane::Overview {
            let _ = writeln!(out, "\n{}", pane.name());
        }
        table.sort(pane.first_column(), false);
        let all = table.rows.len();
        if pane != Pane::Overview && pane != Pane::Latency {
            table.rows.truncate(ROWS);
        }
        lines(out, &table);
        if table.rows.len() < all {
            let _ = writeln!(out, "… and {} more", all - table.rows.len());
        }
    }
}

fn lines(out: &mut Vec<u8>, table: &Table) {
    let widths = table.widths();
    let mut line = |cells: Vec<String>| {
        let _ = writeln!(out, "{}", cells.join("  ").trim_end());
    };
    line(table.header(&widths));
    for row in &table.rows {
        line(table.aligned(&widths, row));
    }
}
