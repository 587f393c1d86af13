//! The output of lines in a format.

use std::io::{self, Write};

use crate::{
    observe::{Observation, Observer},
    render::{timeout_history::TimeoutHistory, trace_json::TraceJson, trace_text::TraceText},
    schema::{self, Command},
    what_if::TrialObserver,
};

use super::lines::Lines;

/// The format of observations.
#[derive(Debug)]
pub(crate) enum Format {
    /// Lines for people.
    Text(TraceText),
    /// A JSON object a line.
    Json(TraceJson),
    /// Flows' timeouts, for people.
    Timeouts(TimeoutHistory),
    /// Only losses, until the report at the end.
    WhatIf {
        /// Collects the observations.
        watching: Box<TrialObserver>,
        /// True if the report is JSON.
        json: bool,
    },
    /// The lines of an observer.
    Observed {
        /// The observer.
        by: Box<dyn Observer>,
        /// True if lines are JSON.
        json: bool,
    },
    /// No lines, only the summary.
    None,
}

/// Formats and writes observations.
pub(crate) struct Output<W> {
    format: Format,
    /// True to write only observations that concern timeouts.
    only_timeouts: bool,
    lines: Lines<W>,
    /// Number of lines of observations.
    pub count: u64,
}

impl<W: Write> Output<W> {
    /// Lines of `format` to `to`.
    pub(crate) fn new(format: Format, to: W) -> Self {
        Self {
            format,
            only_timeouts: false,
            lines: Lines::new(to),
            count: 0,
        }
    }

    /// Restricts the output to observations that set a timeout or end it with its entry.
    pub(crate) fn only_of_timeouts(&mut self) {
        self.only_timeouts = true;
    }

    /// Writes the column titles, or the schema line of JSON unless `command` has printed it already.
    pub(crate) fn header(&mut self, command: Option<Command>) -> io::Result<()> {
        match (&self.format, command) {
            (Format::Text(text), _) => self.lines.text(|out| text.header(out)),
            (_, Some(command)) if self.is_json() => self.lines.text(|out| schema::begin(out, command)),
            _ => Ok(()),
        }
    }

    /// Returns whether the format has no lines.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self.format, Format::None)
    }

    /// Returns whether lines are JSON.
    pub(crate) fn is_json(&self) -> bool {
        matches!(
            self.format,
            Format::Json(_) | Format::WhatIf { json: true, .. } | Format::Observed { json: true, .. }
        )
    }

    /// The format, with the observations it has collected.
    pub(crate) fn into_format(self) -> Format {
        self.format
    }

    /// Writes one observation.
    pub(crate) fn observe(&mut self, observation: Observation<'_>) -> io::Result<()> {
        if self.only_timeouts && !observation.is_of_timeouts() {
            return Ok(());
        }
        let json = self.is_json();
        let Self {
            format, lines, count, ..
        } = self;
        let write = |out: &mut Vec<u8>| match format {
            Format::Text(text) => text.line(out, observation),
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

    /// Writes another whole line of the format after all lines so far.
    pub(crate) fn line(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.lines.text(write)
    }

    /// Writes the lines up to `until_ns`.
    pub(crate) fn settle(&mut self, until_ns: u64) -> io::Result<()> {
        self.lines.settle(until_ns)
    }

    /// Writes all lines.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
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
