//! Where lines go, and in which format.

use std::io::{self, Write};

use crate::{
    flow::observation::{Observation, Observer},
    render::{story::Story, timeout_history::TimeoutHistory, trace_json::TraceJson},
    schema::{self, Command},
    what_if::Watching,
};

use super::lines::Lines;

/// How observations look.
#[derive(Debug)]
pub enum Format {
    /// Lines for people.
    Text(Story),
    /// A JSON object a line.
    Json(TraceJson),
    /// Flows' timeouts, for people.
    Timeouts(TimeoutHistory),
    /// Nothing but losses for now: what happens is taken in for what is said at the end.
    WhatIf {
        /// What takes it in.
        watching: Box<Watching>,
        /// Whether what is said is JSON.
        json: bool,
    },
    /// What an observer writes.
    Observed {
        /// Who takes in what happens.
        by: Box<dyn Observer>,
        /// Whether lines are JSON.
        json: bool,
    },
    /// Nothing: only the summary.
    None,
}

/// Lines on their way out.
pub struct Output<W> {
    format: Format,
    /// Whether only of timeouts is told.
    only_timeouts: bool,
    lines: Lines<W>,
    /// How many lines observations have had.
    pub count: u64,
}

impl<W: Write> Output<W> {
    /// Lines of `format` to `to`.
    pub fn new(format: Format, to: W) -> Self {
        Self {
            format,
            only_timeouts: false,
            lines: Lines::new(to),
            count: 0,
        }
    }

    /// From now on only what gives an entry a timeout, or takes it away with its entry, is told.
    pub fn only_of_timeouts(&mut self) {
        self.only_timeouts = true;
    }

    /// The line above all others, where the format has one: with JSON that of the command, unless it is printed already.
    pub fn header(&mut self, command: Option<Command>) -> io::Result<()> {
        match (&self.format, command) {
            (Format::Text(story), _) => self.lines.text(|out| story.header(out)),
            (_, Some(command)) if self.is_json() => self.lines.text(|out| schema::begin(out, command)),
            _ => Ok(()),
        }
    }

    /// Whether anything is shown at all.
    pub fn is_silent(&self) -> bool {
        matches!(self.format, Format::None)
    }

    /// Whether lines are JSON.
    pub fn is_json(&self) -> bool {
        matches!(
            self.format,
            Format::Json(_) | Format::WhatIf { json: true, .. } | Format::Observed { json: true, .. }
        )
    }

    /// The format, with all that it has taken in.
    pub fn into_format(self) -> Format {
        self.format
    }

    /// One observation.
    pub fn observe(&mut self, observation: Observation<'_>) -> io::Result<()> {
        if self.only_timeouts && !observation.is_of_timeouts() {
            return Ok(());
        }
        let json = self.is_json();
        let Self {
            format, lines, count, ..
        } = self;
        let write = |out: &mut Vec<u8>| match format {
            Format::Text(story) => story.line(out, observation),
            Format::Json(json) => json.line(out, observation),
            Format::Timeouts(history) => history.line(out, observation),
            Format::WhatIf { watching, .. } => watching.observe(observation),
            Format::Observed { by, .. } => by.observe(out, observation),
            Format::None => {}
        };
        let written = lines.add(observation.time_ns(), write, |out| mark_late(out, json))?;
        *count += u64::from(written);
        Ok(())
    }

    /// Something else, a whole line of the format, after all lines so far.
    pub fn line(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.lines.text(write)
    }

    /// Writes the lines of what happened until `until_ns`.
    pub fn settle(&mut self, until_ns: u64) -> io::Result<()> {
        self.lines.settle(until_ns)
    }

    /// Writes all lines.
    pub fn flush(&mut self) -> io::Result<()> {
        self.lines.flush()
    }
}

/// Marks the line at the end of `out`.
#[cold]
pub(crate) fn mark_late(out: &mut Vec<u8>, json: bool) {
    let (end, mark): (&[u8], &[u8]) = match json {
        true => (b"}\n", b",\"late\":true}\n"),
        false => (b"\n", b" (late)\n"),
    };
    if out.ends_with(end) {
        out.truncate(out.len() - end.len());
        out.extend_from_slice(mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_line_is_marked_in_its_format() {
        for (line, json, marked) in [
            ("{\"a\":1}\n", true, "{\"a\":1,\"late\":true}\n"),
            ("INVALID\n", false, "INVALID (late)\n"),
        ] {
            let mut out = line.as_bytes().to_vec();
            mark_late(&mut out, json);
            assert_eq!(String::from_utf8(out).unwrap(), marked);
        }
    }
}
