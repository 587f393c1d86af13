//! An observer that prints: lines in the order of time, and changes of the stream.

use std::{
    fmt,
    io::{self, Write},
};

use crate::{
    observe::{Notice, Observation, Observer},
    timeouts::Defaults,
};

use super::{
    lines::Lines, notice, timeout_history::TimeoutHistory, trace_json::TraceJson, trace_text::TraceText,
};

/// Writes lines about observations.
pub(crate) trait Printer: fmt::Debug {
    /// Appends the lines about one observation, each complete.
    fn print(&mut self, out: &mut Vec<u8>, observation: Observation<'_>);

    /// The default timeouts of a namespace.
    fn defaults(&mut self, _netns: u32, _defaults: &Defaults) {}
}

impl Printer for TraceText {
    fn print(&mut self, out: &mut Vec<u8>, observation: Observation<'_>) {
        self.line(out, observation);
    }
}

impl Printer for TraceJson {
    fn print(&mut self, out: &mut Vec<u8>, observation: Observation<'_>) {
        self.line(out, observation);
    }
}

impl Printer for TimeoutHistory {
    fn print(&mut self, out: &mut Vec<u8>, observation: Observation<'_>) {
        self.line(out, observation);
    }
}

impl Printer for Box<dyn Printer> {
    fn print(&mut self, out: &mut Vec<u8>, observation: Observation<'_>) {
        (**self).print(out, observation);
    }

    fn defaults(&mut self, netns: u32, defaults: &Defaults) {
        (**self).defaults(netns, defaults);
    }
}

/// Prints no lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoLines;

impl Printer for NoLines {
    fn print(&mut self, _out: &mut Vec<u8>, _observation: Observation<'_>) {}
}

/// Prints only observations that set a timeout or end it with its entry.
#[derive(Debug)]
pub(crate) struct OnlyTimeouts<P>(pub P);

impl<P: Printer> Printer for OnlyTimeouts<P> {
    fn print(&mut self, out: &mut Vec<u8>, observation: Observation<'_>) {
        if observation.is_of_timeouts() {
            self.0.print(out, observation);
        }
    }
}

/// The form of changes of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Messages on standard error.
    Messages,
    /// JSON lines.
    Json,
}

/// Prints the lines of a printer.
pub(crate) struct Printed<P, W> {
    /// The printer.
    pub printer: P,
    lines: Lines<W>,
    form: Form,
    /// Number of lines of observations, and the number to print.
    count: u64,
    most: u64,
    explains: bool,
    /// The error of the first failed write; a broken pipe is a normal end.
    error: Option<io::Error>,
}

impl<P, W> fmt::Debug for Printed<P, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Printed").finish_non_exhaustive()
    }
}

impl<P: Printer, W: Write> Printed<P, W> {
    /// Prints to `to`.
    pub(crate) fn new(printer: P, form: Form, to: W) -> Self {
        Self {
            printer,
            lines: Lines::new(to),
            form,
            count: 0,
            most: u64::MAX,
            explains: true,
            error: None,
        }
    }

    /// The printer, and the destination of its lines.
    pub(crate) fn into_parts(self) -> (P, W) {
        (self.printer, self.lines.into_inner())
    }

    /// Ends after this number of lines of observations.
    pub(crate) fn at_most(mut self, most: Option<u64>) -> Self {
        self.most = most.unwrap_or(u64::MAX);
        self
    }

    /// Needs neither the sources of timeouts nor causes.
    pub(crate) fn without_explanations(mut self) -> Self {
        self.explains = false;
        self
    }

    /// Returns whether changes of the stream are JSON lines.
    pub(crate) fn is_json(&self) -> bool {
        self.form == Form::Json
    }

    /// Writes other whole lines after all lines so far.
    pub(crate) fn lines(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let written = self.lines.text(write);
        self.wrote(written);
    }

    /// Writes all lines that wait. Returns the error of the first failed write.
    pub(crate) fn finish(&mut self) -> Option<io::Error> {
        self.settled(u64::MAX);
        self.error.take()
    }

    fn wrote(&mut self, result: io::Result<()>) {
        if let Err(error) = result {
            self.error = Some(error);
        }
    }
}

impl<P: Printer, W: Write> Observer for Printed<P, W> {
    fn observe(&mut self, observation: Observation<'_>) {
        // Without lines: only they need explanations.
        if !self.explains {
            return;
        }
        let Self { printer, lines, .. } = self;
        let is_json = self.form == Form::Json;
        let written = lines.add(
            observation.time_ns(),
            |out| printer.print(out, observation),
            |out| mark_late(out, is_json),
        );
        match written {
            Ok(written) => self.count += u64::from(written),
            Err(error) => self.error = Some(error),
        }
    }

    fn notice(&mut self, notice: &Notice) {
        match self.form {
            Form::Json => self.lines(|out| notice::json(out, notice)),
            Form::Messages => notice::message(notice),
        }
        // Programs wait for this line before they start traffic.
        if matches!(notice, Notice::Started { .. }) {
            self.settled(u64::MAX);
        }
    }

    fn defaults(&mut self, netns: u32, defaults: &Defaults) {
        self.printer.defaults(netns, defaults);
    }

    fn settled(&mut self, until_ns: u64) {
        if self.error.is_none() {
            let settled = self.lines.settle(until_ns);
            self.wrote(settled);
        }
    }

    fn is_over(&self) -> bool {
        self.count >= self.most || self.error.is_some()
    }

    fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    fn explains(&self) -> bool {
        self.explains
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
