//! Tables of text and numbers, which can be sorted by any column.

use std::cmp::Ordering;

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell {
    /// Text, on the left.
    Text(String),
    /// A count, on the right.
    Count(u64),
    /// A rate per second, on the right.
    Rate(f64),
    /// A duration, on the right.
    Ns(u64),
    /// A number of bytes, on the right.
    Bytes(u64),
    /// A number with its unit, on the right.
    Right(String),
    /// Unknown.
    Unknown,
}

impl Cell {
    /// Its text.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) | Self::Right(text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Rate(rate) => format!("{}/s", short(*rate)),
            Self::Ns(ns) => duration(*ns),
            Self::Bytes(bytes) => format!("{}B", short(*bytes as f64)),
            Self::Unknown => "?".to_owned(),
        }
    }

    /// Returns whether it stands on the left.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    fn number(&self) -> Option<f64> {
        match self {
            Self::Text(_) | Self::Right(_) | Self::Unknown => None,
            Self::Count(count) | Self::Ns(count) | Self::Bytes(count) => Some(*count as f64),
            Self::Rate(rate) => Some(*rate),
        }
    }

    /// Numbers fall, text rises, unknown values are last.
    fn before(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            _ => match (self.number(), other.number()) {
                (Some(one), Some(other)) => other.total_cmp(&one),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            },
        }
    }
}

/// A number in at most five characters.
fn short(number: f64) -> String {
    let (mut number, mut unit) = (number, "");
    for next in ["k", "M", "G", "T"] {
        if number < 9999.5 {
            break;
        }
        number /= 1000.0;
        unit = next;
    }
    match unit.is_empty() && (number.fract() == 0.0 || number >= 99.95) || number >= 99.95 {
        true => format!("{number:.0}{unit}"),
        false => format!("{number:.1}{unit}"),
    }
}

/// A duration with three digits.
pub(crate) fn duration(ns: u64) -> String {
    let ns = ns as f64;
    match ns {
        _ if ns < 1e3 => format!("{ns:.0}ns"),
        _ if ns < 1e6 => format!("{:.1}us", ns / 1e3),
        _ if ns < 1e9 => format!("{:.1}ms", ns / 1e6),
        _ => format!("{:.1}s", ns / 1e9),
    }
}

/// The subject of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    /// Nothing that can be opened.
    Nothing,
    /// A flow.
    Flow(crate::causes::tally::FlowName),
    /// A cause.
    Cause(crate::causes::Cause),
}

/// A row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// One for each column.
    pub cells: Vec<Cell>,
    /// Its subject.
    pub subject: Subject,
}

/// A table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// The names of the columns.
    pub columns: Vec<&'static str>,
    /// The rows.
    pub rows: Vec<Row>,
    /// The sentence in place of rows.
    pub empty: &'static str,
}

impl Table {
    /// Sorts by a column; `reversed` is its other direction.
    pub(crate) fn sort(&mut self, column: usize, reversed: bool) {
        self.rows.sort_by(|a, b| {
            let (Some(one), Some(other)) = (a.cells.get(column), b.cells.get(column)) else {
                return Ordering::Equal;
            };
            match reversed {
                true => other.before(one),
                false => one.before(other),
            }
        });
    }

    /// The width of each column.
    pub(crate) fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.cells.get(column));
            let longest = cells.map(|cell| cell.text().chars().count()).max();
            longest
                .unwrap_or(0)
                .max(self.columns.get(column).map_or(0, |name| name.len()))
        };
        (0..self.columns.len()).map(width).collect()
    }

    /// The cells of a line, each as wide as its column.
    pub(crate) fn aligned(&self, widths: &[usize], row: &Row) -> Vec<String> {
        let cell = |(cell, width): (&Cell, &usize)| match cell.is_text() {
            true => format!("{:<width$}", cell.text()),
            false => format!("{:>width$}", cell.text()),
        };
        row.cells.iter().zip(widths).map(cell).collect()
    }

    /// The names of the columns, each above its cells.
    pub(crate) fn header(&self, widths: &[usize]) -> Vec<String> {
        let is_text = |column: usize| {
            self.rows
                .first()
                .and_then(|row| row.cells.get(column))
                .is_none_or(Cell::is_text)
        };
        self.columns
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(column, (name, width))| match is_text(column) {
                true => format!("{name:<width$}"),
                false => format!("{name:>width$}"),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let texts = [0.0, 0.25, 7.0, 99.9, 1234.0, 9999.0, 12_345.0, 99_960.0, 2.5e6].map(short);
        assert_eq!(
            texts,
            ["0", "0.2", "7", "99.9", "1234", "9999", "12.3k", "100k", "2500k"]
        );
        assert_eq!(
            [999, 1500, 2_000_000, 61_000_000_000].map(duration),
            ["999ns", "1.5us", "2.0ms", "61.0s"]
        );
    }

    #[test]
    fn numbers_fall_and_text_rises() {
        let row = |text: &str, count| Row {
            cells: vec![Cell::Text(text.to_owned()), count],
            subject: Subject::Nothing,
        };
        let mut table = Table {
            columns: vec!["NAME", "COUNT"],
            rows: vec![
                row("b", Cell::Count(1)),
                row("c", Cell::Unknown),
                row("a", Cell::Count(20)),
            ],
            empty: "",
        };
        let names = |table: &Table| -> String { table.rows.iter().map(|row| row.cells[0].text()).collect() };
        table.sort(1, false);
        assert_eq!(names(&table), "abc");
        table.sort(1, true);
        assert_eq!(names(&table), "cba");
        table.sort(0, false);
        assert_eq!(names(&table), "abc");
        assert_eq!(table.header(&table.widths()), ["NAME", "COUNT"]);
        assert_eq!(table.aligned(&table.widths(), &table.rows[0]), ["a   ", "   20"]);
    }
}
