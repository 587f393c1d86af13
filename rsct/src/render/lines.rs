//! Lines in the order of time. A record arrives when an operation ends and carries the time when it began, so a line
//! waits a moment for lines of earlier operations.

use std::io::{self, Write};

/// How long a line waits if the source does not settle: longer than an operation lasts, unless the kernel takes its CPU
/// away.
const HOLD_NS: u64 = 5_000_000;
/// Lines are written in pieces of this size.
const PIECE_BYTES: usize = 64 << 10;

/// Lines that wait, and the writer that they wait for.
pub(crate) struct Lines<W> {
    /// Lines are added to `newer`. When all of `older` is written the two change places, so no text is ever moved.
    older: Waiting,
    newer: Waiting,
    /// True if the lines that wait are in the order of time.
    in_order: bool,
    /// The latest time of all lines.
    newest_ns: u64,
    /// The latest time of the lines that were written.
    written_ns: u64,
    /// Bytes of text that may wait before lines are written early.
    most: usize,
    to: W,
}

/// Some lines, of which the first are written.
#[derive(Default)]
struct Waiting {
    text: Vec<u8>,
    lines: Vec<Line>,
    /// The number of written lines, and the offset at which the text of the others begins.
    written: usize,
    start: usize,
}

/// A line's time, and where it ends in the text. It begins where the line before ends.
#[derive(Clone, Copy)]
struct Line {
    time_ns: u64,
    end: usize,
}

impl<W: Write> Lines<W> {
    /// No lines yet.
    pub(crate) fn new(to: W) -> Self {
        Self {
            older: Waiting::default(),
            newer: Waiting::default(),
            in_order: true,
            newest_ns: 0,
            written_ns: 0,
            most: PIECE_BYTES,
            to,
        }
    }

    /// The destination.
    pub(crate) fn into_inner(self) -> W {
        self.to
    }

    /// Appends a line about an operation that began at `time_ns`. `write` may append nothing. `mark` marks a line that
    /// comes after lines of later operations were written. Returns true if there is a line.
    pub(crate) fn add(
        &mut self,
        time_ns: u64,
        write: impl FnOnce(&mut Vec<u8>),
        mark: impl FnOnce(&mut Vec<u8>),
    ) -> io::Result<bool> {
        let Waiting { text, lines, .. } = &mut self.newer;
        let start = text.len();
        write(text);
        if text.len() == start {
            return Ok(false);
        }
        if time_ns < self.written_ns {
            mark(text);
        }
        self.in_order &= time_ns >= self.newest_ns;
        self.newest_ns = self.newest_ns.max(time_ns);
        lines.push(Line {
            time_ns,
            end: text.len(),
        });
        if self.bytes() >= self.most {
            self.settle(self.newest_ns.saturating_sub(HOLD_NS))?;
            self.most = PIECE_BYTES.max(2 * self.bytes());
        }
        Ok(true)
    }

    /// Appends text after all lines so far.
    pub(crate) fn text(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.add(self.newest_ns, write, |_| {}).map(drop)
    }

    /// Writes the lines of operations that began until `until_ns`.
    pub(crate) fn settle(&mut self, until_ns: u64) -> io::Result<()> {
        if !self.in_order {
            self.sort();
        }
        let mut wrote = false;
        loop {
            if let Some((text, time_ns)) = self.older.until(until_ns) {
                self.to.write_all(text)?;
                self.written_ns = self.written_ns.max(time_ns);
                wrote = true;
            }
            if self.older.bytes() > 0 || self.newer.bytes() == 0 {
                break;
            }
            self.older.clear();
            std::mem::swap(&mut self.older, &mut self.newer);
        }
        if wrote {
            self.to.flush()?;
        }
        Ok(())
    }

    /// Bytes of text that wait.
    fn bytes(&self) -> usize {
        self.older.bytes() + self.newer.bytes()
    }

    /// Sorts the lines that wait by time. Lines of the same time keep their order.
    #[cold]
    fn sort(&mut self) {
        let mut lines: Vec<(u64, &[u8])> = self.older.iter().chain(self.newer.iter()).collect();
        lines.sort_by_key(|(time_ns, _)| *time_ns);
        let mut sorted = Waiting::default();
        for (time_ns, text) in lines {
            sorted.text.extend_from_slice(text);
            sorted.lines.push(Line {
                time_ns,
                end: sorted.text.len(),
            });
        }
        self.older = sorted;
        self.newer.clear();
        self.in_order = true;
    }
}

impl Waiting {
    /// Bytes of text that wait.
    fn bytes(&self) -> usize {
        self.text.len() - self.start
    }

    /// The text of the first lines that wait, up to `until_ns`, and the time of the last of them. They count as written.
    fn until(&mut self, until_ns: u64) -> Option<(&[u8], u64)> {
        let waiting = &self.lines[self.written..];
        let count = waiting.partition_point(|line| line.time_ns <= until_ns);
        let last = waiting[..count].last()?;
        let text = &self.text[self.start..last.end];
        self.written += count;
        self.start = last.end;
        Some((text, last.time_ns))
    }

    /// The lines that wait.
    fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut start = self.start;
        self.lines[self.written..].iter().map(move |line| {
            let text = &self.text[start..line.end];
            start = line.end;
            (line.time_ns, text)
        })
    }

    fn clear(&mut self) {
        self.text.clear();
        self.lines.clear();
        (self.written, self.start) = (0, 0);
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
        lines.settle(u64::MAX).unwrap();
        assert_eq!(written(&lines), "10\n20\n30\nend\n");
    }

    #[test]
    fn a_line_that_comes_too_late_is_marked() {
        let mut lines = Lines::new(Vec::new());
        add(&mut lines, 30);
        lines.settle(u64::MAX).unwrap();
        add(&mut lines, 10);
        add(&mut lines, 30);
        lines.settle(u64::MAX).unwrap();
        assert_eq!(written(&lines), "30\n10 late\n30\n");
    }

    #[test]
    fn nothing_written_is_no_line() {
        let mut lines = Lines::new(Vec::new());
        assert!(!lines.add(1, |_| {}, |_| {}).unwrap());
    }

    #[test]
    fn written_text_does_not_stay() {
        const APART_NS: u64 = HOLD_NS / 500;
        let line = [b'x'; 100];
        let mut lines = Lines::new(io::sink());
        for index in 0..100_000 {
            lines
                .add(index * APART_NS, |out| out.extend_from_slice(&line), |_| {})
                .unwrap();
            let stays = [&lines.older, &lines.newer].map(|waiting| waiting.text.len());
            assert!(stays.iter().sum::<usize>() < 8 * PIECE_BYTES, "{stays:?}");
        }
    }

    /// Fails from its second write on.
    #[derive(Default)]
    struct Broken(Vec<u8>);

    impl Write for Broken {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if !self.0.is_empty() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.0.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_failed_write_is_reported_and_not_repeated() {
        let mut lines = Lines::new(Broken::default());
        for (time_ns, text) in [(1, b"1\n"), (2, b"2\n"), (3, b"3\n")] {
            lines
                .add(time_ns, |out| out.extend_from_slice(text), |_| {})
                .unwrap();
        }
        lines.settle(1).unwrap();
        let error = lines.settle(2).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        lines.to.0.clear();
        lines.settle(u64::MAX).unwrap();
        assert_eq!(lines.to.0, b"3\n");
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
            lines.settle(u64::MAX).unwrap();
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
