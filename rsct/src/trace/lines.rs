//! Lines in the order of time. A record arrives at the end of an operation and carries the time of its beginning, so each
//! line waits for lines of earlier operations.

use std::io::{self, Write};

/// The wait of a line: longer than an operation, unless its CPU is preempted.
pub const HOLD_NS: u64 = 5_000_000;
/// Lines are written in pieces of this size.
const PIECE_BYTES: usize = 64 << 10;

/// Waiting lines, and their destination.
pub struct Lines<W> {
    text: Vec<u8>,
    lines: Vec<Line>,
    /// Number of written `lines`, and the start of the others' text.
    written: usize,
    start: usize,
    /// True if the waiting lines are in the order of time.
    in_order: bool,
    /// The latest time of all lines.
    newest_ns: u64,
    /// The latest time of the written lines.
    written_ns: u64,
    /// Bytes of waiting text at which lines are written without a call of [`Lines::settle`].
    most: usize,
    to: W,
}

/// A line's time, and the end of its text, where the next one begins.
#[derive(Clone, Copy)]
struct Line {
    time_ns: u64,
    end: usize,
}

impl<W: Write> Lines<W> {
    /// No lines yet.
    pub fn new(to: W) -> Self {
        Self {
            text: Vec::with_capacity(2 * PIECE_BYTES),
            lines: Vec::new(),
            written: 0,
            start: 0,
            in_order: true,
            newest_ns: 0,
            written_ns: 0,
            most: PIECE_BYTES,
            to,
        }
    }

    /// Appends a line for the time `time_ns`. `write` may append nothing. `mark` marks a line that arrives after lines of
    /// later operations were written. Returns whether there is a line.
    pub fn add(
        &mut self,
        time_ns: u64,
        write: impl FnOnce(&mut Vec<u8>),
        mark: impl FnOnce(&mut Vec<u8>),
    ) -> io::Result<bool> {
        let start = self.text.len();
        write(&mut self.text);
        if self.text.len() == start {
            return Ok(false);
        }
        if time_ns < self.written_ns {
            mark(&mut self.text);
        }
        self.in_order &= time_ns >= self.newest_ns;
        self.newest_ns = self.newest_ns.max(time_ns);
        self.lines.push(Line {
            time_ns,
            end: self.text.len(),
        });
        if self.text.len() - self.start >= self.most {
            self.settle(self.newest_ns.saturating_sub(HOLD_NS))?;
            self.most = PIECE_BYTES.max(2 * (self.text.len() - self.start));
        }
        Ok(true)
    }

    /// Appends text after all lines so far.
    pub fn text(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.add(self.newest_ns, write, |_| {}).map(drop)
    }

    /// Writes the lines up to `until_ns`.
    pub fn settle(&mut self, until_ns: u64) -> io::Result<()> {
        if self.written == self.lines.len() {
            return Ok(());
        }
        if !self.in_order {
            self.sort();
        }
        let waiting = &self.lines[self.written..];
        let count = waiting.partition_point(|line| line.time_ns <= until_ns);
        let Some(last) = count.checked_sub(1).map(|last| waiting[last]) else {
            return Ok(());
        };
        self.written_ns = self.written_ns.max(last.time_ns);
        let result = self
            .to
            .write_all(&self.text[self.start..last.end])
            .and_then(|()| self.to.flush());
        self.written += count;
        self.start = last.end;
        self.forget();
        result
    }

    /// Writes all lines.
    pub fn flush(&mut self) -> io::Result<()> {
        self.settle(u64::MAX)
    }

    /// Removes written text if it is larger than the waiting text, which has to be moved.
    fn forget(&mut self) {
        if self.start < self.text.len() - self.start {
            return;
        }
        self.text.drain(..self.start);
        self.lines.drain(..self.written);
        for line in &mut self.lines {
            line.end -= self.start;
        }
        (self.start, self.written) = (0, 0);
    }

    /// Sorts the waiting lines by time. Lines of the same time keep their order.
    #[cold]
    fn sort(&mut self) {
        let mut start = self.start;
        let waiting = &mut self.lines[self.written..];
        let mut sorted: Vec<(u64, std::ops::Range<usize>)> = waiting
            .iter()
            .map(|line| (line.time_ns, std::mem::replace(&mut start, line.end)..line.end))
            .collect();
        sorted.sort_by_key(|(time_ns, _)| *time_ns);
        let mut text = Vec::with_capacity(self.text.capacity());
        for ((time_ns, range), line) in sorted.into_iter().zip(waiting) {
            text.extend_from_slice(&self.text[range]);
            *line = Line {
                time_ns,
                end: text.len(),
            };
        }
        self.lines.drain(..self.written);
        (self.start, self.written) = (0, 0);
        self.text = text;
        self.in_order = true;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn add(lines: &mut Lines<Vec<u8>>, time_ns: u64) {
        let write = |out: &mut Vec<u8>| out.extend_from_slice(format!("{time_ns}\n").as_bytes());
        let mark = |out: &mut Vec<u8>| {
            out.pop();
            out.extend_from_slice(b" late\n");
        };
        lines.add(time_ns, write, mark).unwrap();
    }

    fn written(lines: &Lines<Vec<u8>>) -> String {
        String::from_utf8(lines.to.clone()).unwrap()
    }

    #[test]
    fn a_line_waits_for_earlier_ones() {
        let mut lines = Lines::new(Vec::new());
        add(&mut lines, 30);
        add(&mut lines, 10);
        lines.settle(20).unwrap();
        assert_eq!(written(&lines), "10\n");
        add(&mut lines, 20);
        lines.text(|out| out.extend_from_slice(b"end\n")).unwrap();
        lines.flush().unwrap();
        assert_eq!(written(&lines), "10\n20\n30\nend\n");
    }

    #[test]
    fn a_line_that_comes_too_late_is_marked() {
        let mut lines = Lines::new(Vec::new());
        add(&mut lines, 30);
        lines.flush().unwrap();
        add(&mut lines, 10);
        add(&mut lines, 30);
        lines.flush().unwrap();
        assert_eq!(written(&lines), "30\n10 late\n30\n");
    }

    #[test]
    fn nothing_written_is_no_line() {
        let mut lines = Lines::new(Vec::new());
        assert!(!lines.add(1, |_| {}, |_| {}).unwrap());
    }

    proptest! {
        #[test]
        fn all_lines_are_written_and_those_not_marked_are_in_order(
            times in prop::collection::vec((0_u64..50, any::<bool>()), 0..60)
        ) {
            let mut lines = Lines::new(Vec::new());
            for (time_ns, settles) in &times {
                add(&mut lines, *time_ns);
                if *settles {
                    lines.settle(time_ns.saturating_sub(10)).unwrap();
                }
            }
            lines.flush().unwrap();
            let written = written(&lines);
            let mut seen: Vec<u64> = written.lines().map(|line| line.trim_end_matches(" late").parse().unwrap()).collect();
            let in_time: Vec<u64> = written.lines().filter_map(|line| line.parse().ok()).collect();
            prop_assert!(in_time.is_sorted());
            seen.sort_unstable();
            let mut expected: Vec<u64> = times.iter().map(|(time_ns, _)| *time_ns).collect();
            expected.sort_unstable();
            prop_assert_eq!(seen, expected);
        }
    }
}
