//! The progress of reading large recordings, as a line on a terminal.

use std::time::{Duration, Instant};

use crate::message;

/// A read that ends earlier shows nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// Time between two changes of the line.
const REDRAW: Duration = Duration::from_millis(200);
/// Cells of the bar.
const CELLS: u64 = 30;

/// The progress; shows nothing by default.
#[derive(Debug, Default)]
pub(super) struct Bar {
    total: u64,
    done: u64,
    next: Option<Instant>,
    is_shown: bool,
}

impl Bar {
    /// Of files with this number of bytes together.
    pub(super) fn of(total: u64) -> Self {
        Self {
            total,
            next: Some(Instant::now() + PATIENCE),
            ..Self::default()
        }
    }

    /// More bytes were read.
    pub(super) fn advance(&mut self, bytes: u64) {
        let Some(next) = self.next else { return };
        self.done += bytes;
        let now = Instant::now();
        if now >= next {
            self.next = Some(now + REDRAW);
            self.is_shown = true;
            message::status(&line(self.done, self.total));
        }
    }

    /// Erases the line.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            message::clear_status();
        }
        self.next = None;
    }
}

fn line(done: u64, total: u64) -> String {
    let done = done.min(total);
    let cells = (done * CELLS).checked_div(total).unwrap_or(CELLS);
    format!(
        "reading [{}{}] {} of {} MiB",
        "#".repeat(cells as usize),
        " ".repeat((CELLS - cells) as usize),
        done >> 20,
        total >> 20
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_position() {
        assert_eq!(
            line(512 << 20, 1 << 30),
            "reading [###############               ] 512 of 1024 MiB"
        );
        assert_eq!(line(5, 0), format!("reading [{}] 0 of 0 MiB", "#".repeat(30)));
    }
}
