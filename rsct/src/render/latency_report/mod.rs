//! Reports of a measurement, live or recorded: the start, slow calls, intervals, the whole and its losses.

mod begin;
mod end;
mod requested;
mod slow;
#[cfg(test)]
mod tests;

use std::{
    io::{self, Write},
    ops::RangeInclusive,
};

use rsct_common::record::SlowRecord;

pub(crate) use requested::{Refusal, Requested};

use super::{color::Palette, latency::Report, latency_json};
use crate::{
    kernel::{interfaces::Names, text::Symbols},
    latency::{Begins, Measured, Snapshot, Spans, Stretch},
    observe::{Consumer, Fact, Input, Want},
    records::Record,
    schema::latency::Span,
};

use slow::SlowCalls;

/// What to print, and how.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    /// JSON in place of text.
    pub is_json: bool,
    /// Colours.
    pub palette: Palette,
    /// What the command line asks. Only a recording may lack it.
    pub requested: Requested,
    /// The window of a recording; none of a live measurement.
    pub recorded_ns: Option<RangeInclusive<u64>>,
}

/// Prints the reports.
pub(crate) struct LatencyReport<W> {
    to: W,
    out: Vec<u8>,
    look: Look,
    spans: Spans,
    begins: Option<Begins>,
    refusal: Option<Refusal>,
    slow: SlowCalls,
    names: Names,
    symbols: Symbols,
    error: Option<io::Error>,
}

/// The end of the reports.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// They were printed, or the reader closed the output.
    Printed(io::Result<()>),
    /// The recording lacks what the options request.
    Refused(Refusal),
    /// The recording has no measurement.
    Missing,
    /// The window has fewer than two readings.
    Empty,
}

impl<W: Write> LatencyReport<W> {
    /// Prints to `to`.
    pub(crate) fn new(look: Look, names: Names, to: W) -> Self {
        let window_ns = look.recorded_ns.clone().unwrap_or(0..=u64::MAX);
        Self {
            to,
            out: Vec::new(),
            spans: Spans::new(window_ns, look.requested.every_ns),
            begins: None,
            refusal: None,
            slow: SlowCalls::new(look.is_json),
            names,
            symbols: Symbols::default(),
            error: None,
            look,
        }
    }

    /// Prints the whole, and returns the result.
    pub(crate) fn finish(mut self) -> Outcome {
        if let Some(refusal) = self.refusal {
            return Outcome::Refused(refusal);
        }
        let Some(begins) = self.begins.take() else {
            return Outcome::Missing;
        };
        let Some(whole) = self.spans.whole() else {
            return match self.error {
                Some(error) => Outcome::Printed(Err(error)),
                None => Outcome::Empty,
            };
        };
        self.slow.stacks(&mut self.out, &self.symbols);
        if !self.look.is_json {
            // Writing to a Vec can't fail.
            let _ = writeln!(self.out, "\n=== all {:.1} s ===", seconds(whole.elapsed_ns));
        }
        self.stretch(&begins, &whole, true);
        self.flush();
        if self.error.is_none() {
            let slow = begins.slower_than_ns.map(|_| self.slow.count);
            end::end(&mut self.out, self.look.is_json, &begins, &whole, slow);
            self.flush();
        }
        Outcome::Printed(self.error.map_or(Ok(()), Err))
    }

    fn snapshot(&mut self, snapshot: &Snapshot) {
        let Some(begins) = self.begins.take() else {
            return;
        };
        let is_new = self.spans.first().is_none();
        let interval = self.spans.take(snapshot);
        if is_new && let Some(first) = self.spans.first() {
            self.slow.started_ns = first.time_ns;
            begin::begin(&mut self.out, &self.look, &begins, first.time_ns, &self.names);
        }
        if let Some(interval) = interval {
            if !self.look.is_json {
                let _ = writeln!(
                    self.out,
                    "\n--- after {:.1} s: the last {:.1} s ---",
                    seconds(interval.since_first_ns),
                    seconds(interval.elapsed_ns)
                );
            }
            self.stretch(&begins, &interval, false);
        }
        self.begins = Some(begins);
    }

    /// The one report of readings, for live and recorded measurements.
    fn stretch(&mut self, begins: &Begins, stretch: &Stretch, whole: bool) {
        let report = Report {
            reading: &stretch.reading,
            by: begins.by,
            hz: begins.hz,
            names: &self.names,
            bars: whole,
            palette: self.look.palette,
        };
        if self.look.is_json {
            let span = Span {
                time_ns: stretch.time_ns,
                elapsed_ns: stretch.elapsed_ns,
                whole,
            };
            latency_json::report(&mut self.out, &report, span);
        } else {
            report.text(&mut self.out);
        }
    }

    fn slow(&mut self, record: &SlowRecord) {
        let is_asked = record.duration_ns >= self.look.requested.slower_than_ns.unwrap_or(0);
        let is_inside = match &self.look.recorded_ns {
            Some(window_ns) => window_ns.contains(&record.time_ns),
            None => true,
        };
        if is_asked && is_inside && self.spans.first().is_some() {
            self.slow.print(&mut self.out, record, &self.symbols, &self.names);
        }
    }

    fn flush(&mut self) {
        if self.out.is_empty() || self.error.is_some() {
            return;
        }
        let written = self.to.write_all(&self.out).and_then(|()| self.to.flush());
        self.error = written.err();
        self.out.clear();
    }
}

impl<W: Write> Consumer for LatencyReport<W> {
    fn take(&mut self, input: Input<'_>) {
        if self.is_over() {
            return;
        }
        match input {
            Input::Fact(Fact::Names(names)) => self.names.extend(names),
            Input::Fact(Fact::Symbols(symbols)) => symbols.add_to(&mut self.symbols),
            // Later files of a recording repeat it.
            Input::Latency(Measured::Begins(begins)) if self.begins.is_none() => {
                if self.look.recorded_ns.is_some() {
                    self.refusal = self.look.requested.check(begins).err();
                    self.spans.tolerate(begins.every_ns / 10);
                }
                self.begins = Some(begins.clone());
            }
            Input::Latency(Measured::Snapshot(snapshot)) => self.snapshot(snapshot),
            Input::Record(Record::Slow(record)) => self.slow(record),
            _ => return,
        }
        self.flush();
    }

    fn is_over(&self) -> bool {
        self.error.is_some() || self.refusal.is_some()
    }

    fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    fn lacks(&mut self) -> Option<Want> {
        None
    }
}

fn seconds(ns: u64) -> f64 {
    ns as f64 / 1e9
}
