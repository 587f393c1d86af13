//! The consumer that writes the inputs of a part.

use rsct_common::record::CauseRecord;
use zerocopy::IntoBytes as _;

use crate::{
    flow::TupleKey,
    latency::Measured,
    observe::{AllCounts, Chosen, Consumer, Counted, Input, Joined, Model, Notice, Selection, Want},
    recording::{Options, WriteError, Writer},
    records::Record,
};

use super::{
    super::{
        Start,
        beginning::{count, note_of},
        latency::LatencyNotes,
        wire::{self, DumpBegins, DumpEnds, DumpedRecord, TimeRecord, note},
    },
    CutOptions, Written,
    claims::Claims,
    context::Context,
    counts::Counts,
};

/// Writes the inputs of the part.
pub(super) struct Cutter {
    writer: Writer,
    start: Start,
    from_ns: u64,
    selection: Selection,
    chosen: Chosen,
    /// The flows, and the causes that they claim.
    joined: Joined<Claims>,
    /// The beginning of the part.
    context: Context,
    has_begun: bool,
    now_ns: u64,
    latency: LatencyNotes,
    with_latency: bool,
    omitted_latency: bool,
    counts: Counts,
    records: u64,
    error: Option<WriteError>,
}

impl Cutter {
    pub(super) fn create(start: &Start, options: CutOptions) -> Result<Self, WriteError> {
        let CutOptions {
            path,
            filter,
            netns,
            window,
        } = options;
        let writer = Writer::create(Options {
            path,
            max_bytes: None,
            keep: 1,
            keys: wire::KEYS,
        })?;
        let selection = Selection::recorded(&filter, netns, window.from_ns);
        let mut start = start.clone();
        start.setup.is_unfiltered &= filter.is_empty();
        start.from_ns = window.from_ns;
        let mut cutter = Self {
            writer,
            from_ns: window.from_ns,
            joined: Joined {
                model: Model::new(&start.setup, selection.clone()),
                observer: Claims::default(),
            },
            selection,
            chosen: Chosen { filter, netns },
            context: Context::default(),
            has_begun: false,
            now_ns: start.setup.started_ns,
            latency: LatencyNotes::default(),
            with_latency: filter.is_empty() && netns.is_none(),
            omitted_latency: false,
            counts: Counts::default(),
            records: 0,
            error: None,
            start,
        };
        if cutter.from_ns <= cutter.start.setup.started_ns {
            cutter.begin()?;
        }
        Ok(cutter)
    }

    pub(super) fn finish(mut self) -> Result<Written, WriteError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        if !self.has_begun {
            self.begin()?;
        }
        Ok(Written {
            records: self.records,
            without_latency: self.omitted_latency,
            summary: self.writer.finish()?,
        })
    }

    /// Writes the beginning of the part.
    fn begin(&mut self) -> Result<(), WriteError> {
        self.has_begun = true;
        note_of(&mut self.writer, note::START, &self.start, self.now_ns)?;
        self.time(self.now_ns)?;
        let context = std::mem::take(&mut self.context);
        context.write(&mut self.writer, &self.joined.model, self.now_ns)?;
        let all = context.counted.as_ref().map(AllCounts::all);
        for record in context.causes_before() {
            self.cause(record)?;
        }
        if let Some(counted) = all {
            self.counted(&counted)?;
        }
        for record in context.causes_since() {
            self.cause(record)?;
        }
        if let Some((begins, snapshot)) = context.latency {
            self.measured(Measured::Begins(&begins))?;
            self.measured(Measured::Snapshot(&snapshot))?;
        }
        // The notice of the start has marked an earlier time.
        self.time(self.now_ns)
    }

    fn time(&mut self, now_ns: u64) -> Result<(), WriteError> {
        self.writer.record(TimeRecord::of(now_ns).as_bytes(), now_ns)
    }

    /// Begins with the first input of the window.
    fn reach(&mut self, input: &Input<'_>) -> Result<(), WriteError> {
        let time_ns = match input {
            Input::Record(record) => record.time_ns(),
            Input::Settled { now_ns } | Input::DumpBegins { now_ns } | Input::DumpEnds { now_ns, .. } => {
                Some(*now_ns)
            }
            Input::Counted(counted) => Some(counted.time_ns),
            Input::Latency(Measured::Snapshot(snapshot)) => Some(snapshot.time_ns),
            _ => None,
        };
        let is_end = matches!(input, Input::Ended(_));
        if !self.has_begun && (is_end || time_ns.is_some_and(|time_ns| time_ns >= self.from_ns)) {
            self.begin()?;
        }
        Ok(())
    }

    fn write(&mut self, input: Input<'_>) -> Result<(), WriteError> {
        self.reach(&input)?;
        if let Input::Settled { now_ns } = input {
            self.now_ns = now_ns;
        }
        let is_kept = self.is_kept(&input);
        let is_known = self.is_known(&input);
        self.joined.take(input);
        if !self.has_begun {
            if is_kept {
                self.context
                    .take(input, self.now_ns, is_known, &self.joined.model);
            }
            return Ok(());
        }
        for record in std::mem::take(&mut self.joined.observer.claimed) {
            if !self.chosen.has_cause(&record, &self.joined.model.table) {
                self.writer.record(record.as_bytes(), record.time_ns)?;
            }
        }
        if is_kept { self.pass_on(input) } else { Ok(()) }
    }

    /// Returns whether an input is of the selected flows. The model has not taken it yet.
    fn is_kept(&self, input: &Input<'_>) -> bool {
        let table = &self.joined.model.table;
        match input {
            Input::Record(Record::Packet(record)) => {
                self.selection.tracks_packet(record, table.of_packet(record))
            }
            Input::Record(Record::Entry(record)) => self.selection.tracks_entry(record),
            Input::Record(Record::Cause(record)) => self.chosen.has_cause(record, table),
            Input::Record(Record::Policy(record)) => self.chosen.has_netns(record.netns),
            Input::Record(Record::Slow(_)) | Input::Latency(_) => self.with_latency,
            Input::Record(Record::Dump(_)) => false,
            Input::Dumped { entry, .. } => self.selection.tracks_dumped(entry),
            _ => true,
        }
    }

    /// Returns whether an entry's record is of a known flow. The model has not taken it yet.
    fn is_known(&self, input: &Input<'_>) -> bool {
        let table = &self.joined.model.table;
        match input {
            Input::Record(Record::Entry(record)) => table.of_tuple(&TupleKey::of_entry(record)).is_some(),
            _ => false,
        }
    }

    fn pass_on(&mut self, input: Input<'_>) -> Result<(), WriteError> {
        match input {
            Input::Record(record) => self.record(record),
            Input::Dumped { entry, now_ns } => self
                .writer
                .record(DumpedRecord::of(entry, now_ns).as_bytes(), now_ns),
            Input::Settled { now_ns } => {
                self.time(now_ns)?;
                self.writer.settle(now_ns)
            }
            Input::DumpBegins { now_ns } => self.note(note::DUMP_BEGINS, &DumpBegins { now_ns }),
            Input::DumpEnds {
                now_ns,
                covered,
                lost,
            } => {
                self.writer.lost(lost);
                self.note(note::DUMP_ENDS, &DumpEnds::of(now_ns, covered, lost))
            }
            Input::Fact(fact) => self.note(note::FACT, fact),
            Input::Counted(counted) => self.counted(counted),
            Input::Latency(measured) => self.measured(measured),
            Input::Notice(notice) => {
                if let Notice::Loss { total, .. } = notice {
                    self.writer.lost(*total);
                }
                self.note(note::NOTICE, notice)
            }
            Input::Ended(ended) => self.note(note::ENDED, ended),
            Input::Cut { .. } => Ok(()),
        }
    }

    fn note(&mut self, name: &str, value: &impl serde::Serialize) -> Result<(), WriteError> {
        note_of(&mut self.writer, name, value, self.now_ns)
    }

    fn record(&mut self, record: Record<'_>) -> Result<(), WriteError> {
        self.records += 1;
        match record {
            Record::Packet(record) => self.writer.record(record.as_bytes(), record.time_ns),
            Record::Entry(record) => self.writer.record(record.as_bytes(), record.time_ns),
            Record::Policy(record) => self.writer.record(record.as_bytes(), record.time_ns),
            Record::Cause(record) => self.cause(record),
            Record::Slow(record) => self.writer.record(record.as_bytes(), record.time_ns),
            Record::Dump(_) => Ok(()),
        }
    }

    fn measured(&mut self, measured: Measured<'_>) -> Result<(), WriteError> {
        self.latency.write(&mut self.writer, measured, self.now_ns)
    }

    fn cause(&mut self, record: &CauseRecord) -> Result<(), WriteError> {
        self.counts.add(record);
        self.writer.record(record.as_bytes(), record.time_ns)
    }

    fn counted(&mut self, counted: &Counted) -> Result<(), WriteError> {
        count(
            &mut self.writer,
            &self.counts.of_part(counted, &self.chosen),
            self.now_ns,
        )
    }
}

impl Consumer for Cutter {
    fn take(&mut self, input: Input<'_>) {
        if matches!(input, Input::Latency(_)) && !self.with_latency {
            self.omitted_latency = true;
        }
        if self.error.is_none()
            && let Err(error) = self.write(input)
        {
            self.error = Some(error);
        }
    }

    fn is_over(&self) -> bool {
        self.error.is_some()
    }

    fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    fn lacks(&mut self) -> Option<Want> {
        self.joined.lacks()
    }
}
