//! Writes inputs to a recording.

use std::{collections::HashSet, path::PathBuf, time::Duration};

use rsct_common::record::PacketRecord;
use serde::Serialize;
use zerocopy::IntoBytes as _;

use crate::{
    kernel::interfaces::Names,
    observe::{Consumer, Ended, Fact, Input, Notice, Setup, Want},
    plural,
    recording::{Options, Summary, WriteError, Writer},
    records::Record,
};

use super::{
    beginning::{Beginning, count, note_of},
    wire::{self, DumpBegins, DumpEnds, DumpedRecord, TimeRecord, note},
};

/// Defaults of a namespace with traffic are read again at this interval, because they may have changed.
const READ_AGAIN_NS: u64 = 5_000_000_000;

/// A recording to write.
#[derive(Clone, Debug)]
pub(crate) struct RecorderOptions {
    /// The file.
    pub path: PathBuf,
    /// The size from which on the file is rotated.
    pub max_bytes: Option<u64>,
    /// The number of files after rotations.
    pub keep: usize,
    /// The arguments of the command.
    pub command: Vec<String>,
}

/// Writes inputs to a recording.
#[derive(Debug)]
pub(crate) struct Recorder {
    path: PathBuf,
    writer: Writer,
    beginning: Beginning,
    now_ns: u64,
    /// The age at which the file is rotated, and the time when it began.
    max_age_ns: Option<u64>,
    began_ns: u64,
    /// Namespaces whose defaults were read, the last one met, and when to read all again.
    known: HashSet<u32>,
    last_netns: u32,
    read_again_ns: u64,
    wanted: Option<Want>,
    wants_dump: bool,
    error: Option<WriteError>,
    /// Numbers of records: of packets, of entries, of causes.
    counts: [u64; 3],
    ended: Ended,
}

impl Recorder {
    /// Creates the file and writes its head.
    pub(crate) fn create(options: RecorderOptions, setup: &Setup, names: Names) -> Result<Self, WriteError> {
        let beginning = Beginning::new(options.command, setup, names);
        let path = options.path.clone();
        let writer = Writer::create(Options {
            path: options.path,
            max_bytes: options.max_bytes,
            keep: options.keep,
            keys: wire::KEYS,
        })?;
        let mut recorder = Self {
            path,
            writer,
            beginning,
            now_ns: setup.started_ns,
            max_age_ns: None,
            began_ns: setup.started_ns,
            known: HashSet::new(),
            last_netns: 0,
            read_again_ns: 0,
            wanted: None,
            wants_dump: false,
            error: None,
            counts: [0; 3],
            ended: Ended::default(),
        };
        let Self {
            writer,
            beginning,
            now_ns,
            ..
        } = &mut recorder;
        beginning.write(writer, *now_ns)?;
        Ok(recorder)
    }

    /// Also begins a new file when the current one has this age.
    #[must_use]
    pub(crate) fn with_max_age(mut self, age: Option<Duration>) -> Self {
        self.max_age_ns = age.map(|age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
        self
    }

    /// The numbers of records and losses, for people: a line each.
    pub(crate) fn figures(&self) -> Vec<String> {
        let [packets, entries, causes] = self.counts;
        let ended = &self.ended;
        let recorded = format!(
            "{} and {} in {:.3} s, {}",
            plural::count(packets, "packet", "packets"),
            plural::count(entries, "entry event", "entry events"),
            ended.elapsed.as_secs_f64(),
            plural::count(causes, "cause", "causes"),
        );
        let lost = ended.lost.total() + ended.skips.counted + ended.malformed + ended.causes_lost;
        let mut losses = plural::count(lost, "record", "records");
        losses.push_str(if lost == 0 { " lost" } else { " LOST or incomplete" });
        let mut lines = vec![recorded, losses];
        lines.extend_from_slice(&ended.dump_errors);
        lines
    }

    /// Ends the recording.
    pub(crate) fn finish(self) -> Result<Summary, WriteError> {
        match self.error {
            Some(error) => Err(error),
            None => self.writer.finish(),
        }
    }

    /// Begins the next file if this one is full, or old.
    fn rotate(&mut self) -> Result<(), WriteError> {
        let age_ns = self.now_ns.saturating_sub(self.began_ns);
        if self.writer.is_full() || self.max_age_ns.is_some_and(|max| age_ns >= max) {
            self.began_ns = self.now_ns;
            self.beginning.rotate(&mut self.writer, self.now_ns)?;
            self.wants_dump = true;
        }
        Ok(())
    }

    /// Most inputs are packets: nothing of the others is in their way.
    #[inline(always)]
    fn packet(&mut self, record: &PacketRecord) {
        if self.error.is_some() {
            return;
        }
        self.counts[0] += 1;
        if record.netns != self.last_netns {
            self.met(record.netns);
        }
        if let Err(error) = self.writer.record(record.as_bytes(), record.time_ns) {
            self.error = Some(error);
        }
    }

    #[inline(never)]
    fn other(&mut self, input: Input<'_>) {
        if self.error.is_none()
            && let Err(error) = self.write(input)
        {
            self.error = Some(error);
        }
    }

    fn record(&mut self, record: Record<'_>) -> Result<(), WriteError> {
        match record {
            Record::Packet(record) => {
                self.packet(record);
                Ok(())
            }
            Record::Entry(record) => {
                self.counts[1] += 1;
                self.writer.record(record.as_bytes(), record.time_ns)
            }
            Record::Cause(record) => {
                self.counts[2] += 1;
                self.writer.record(record.as_bytes(), record.time_ns)
            }
            Record::Policy(record) => {
                self.wanted = Some(Want::Objects(record.netns));
                self.writer.record(record.as_bytes(), record.time_ns)
            }
            Record::Slow(record) => self.writer.record(record.as_bytes(), record.time_ns),
            Record::Dump(record) => self.writer.record(record.as_bytes(), self.now_ns),
        }
    }

    #[cold]
    fn met(&mut self, netns: u32) {
        self.last_netns = netns;
        if self.now_ns >= self.read_again_ns {
            self.read_again_ns = self.now_ns + READ_AGAIN_NS;
            self.known.clear();
        }
        if self.known.insert(netns) {
            self.wanted = Some(Want::Defaults(netns));
        }
    }

    fn write(&mut self, input: Input<'_>) -> Result<(), WriteError> {
        match input {
            Input::Record(record) => self.record(record),
            Input::Dumped { entry, now_ns } => self
                .writer
                .record(DumpedRecord::of(entry, now_ns).as_bytes(), now_ns),
            Input::Settled { now_ns } => {
                self.now_ns = now_ns;
                if now_ns >= self.read_again_ns {
                    // The next packet shows which namespaces have traffic.
                    self.last_netns = 0;
                }
                self.writer.record(TimeRecord::of(now_ns).as_bytes(), now_ns)?;
                self.writer.settle(now_ns)?;
                self.rotate()
            }
            Input::DumpBegins { now_ns } => {
                self.wants_dump = false;
                self.note(note::DUMP_BEGINS, &DumpBegins { now_ns })
            }
            Input::DumpEnds {
                now_ns,
                covered,
                lost,
            } => {
                self.writer.lost(lost);
                self.note(note::DUMP_ENDS, &DumpEnds::of(now_ns, covered, lost))
            }
            Input::Fact(fact) => {
                self.beginning.keep(fact);
                self.note(note::FACT, fact)
            }
            Input::Latency(measured) => self
                .beginning
                .latency
                .write(&mut self.writer, measured, self.now_ns),
            Input::Notice(notice) => {
                if let Notice::Loss { total, .. } = notice {
                    self.writer.lost(*total);
                }
                match notice {
                    Notice::Started { .. } => {
                        message!("recording to {} (Ctrl-C to stop) …", self.path.display())
                    }
                    Notice::Causes { .. } => message!("causes are recorded from now on"),
                    _ => {}
                }
                self.beginning.keep_notice(notice);
                self.note(note::NOTICE, notice)
            }
            Input::Counted(counted) => {
                self.beginning.keep_counts(counted);
                count(&mut self.writer, counted, self.now_ns)
            }
            Input::Ended(ended) => {
                let mut names = Names::read();
                names.extend(&self.beginning.start.names);
                self.note(note::FACT, &Fact::Names(names))?;
                self.ended.clone_from(ended);
                self.note(note::ENDED, ended)
            }
            Input::Cut { .. } => Ok(()),
        }
    }

    fn note(&mut self, name: &str, note: &impl Serialize) -> Result<(), WriteError> {
        note_of(&mut self.writer, name, note, self.now_ns)
    }
}

impl Consumer for Recorder {
    #[inline]
    fn take(&mut self, input: Input<'_>) {
        match input {
            Input::Record(Record::Packet(record)) => self.packet(record),
            input => self.other(input),
        }
    }

    fn is_over(&self) -> bool {
        self.error.is_some()
    }

    fn has_failed(&self) -> bool {
        self.error.is_some()
    }

    #[inline]
    fn lacks(&mut self) -> Option<Want> {
        self.wanted.take()
    }

    fn wants_dump(&self) -> bool {
        self.wants_dump
    }

    fn wants_counts(&self) -> bool {
        true
    }
}
