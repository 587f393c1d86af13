//! Writes inputs to a recording.

use std::{collections::HashSet, fs, path::PathBuf};

use serde::Serialize;
use zerocopy::IntoBytes as _;

use crate::{
    kernel::{clock, facts, interfaces::Names},
    observe::{AllCounts, Consumer, Counted, Ended, Fact, Input, Notice, Setup, Want},
    plural,
    recording::{Options, Summary, WriteError, Writer},
    records::Record,
};

use super::latency::LatencyNotes;
use super::wire::{self, CountedPart, DumpBegins, DumpEnds, DumpedRecord, Start, TimeRecord, note};

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
    start: Start,
    /// Facts that each file begins with.
    facts: Vec<Fact>,
    /// Notices that each file begins with.
    notices: Vec<Notice>,
    /// The counts of causes that each file begins with, after the first reading.
    counted: Option<AllCounts>,
    /// The measurement that each file begins with.
    latency: LatencyNotes,
    now_ns: u64,
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
        let start = Start {
            rsct: env!("CARGO_PKG_VERSION").to_owned(),
            host: line_of("/proc/sys/kernel/hostname"),
            kernel: facts::release(),
            machine: std::env::consts::ARCH.to_owned(),
            boot_id: line_of("/proc/sys/kernel/random/boot_id"),
            command: options.command,
            realtime_offset_ns: clock::realtime_offset_ns(),
            setup: setup.clone(),
            names,
            from_ns: 0,
        };
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
            start,
            facts: Vec::new(),
            notices: Vec::new(),
            counted: None,
            latency: LatencyNotes::default(),
            now_ns: setup.started_ns,
            known: HashSet::new(),
            last_netns: 0,
            read_again_ns: 0,
            wanted: None,
            wants_dump: false,
            error: None,
            counts: [0; 3],
            ended: Ended::default(),
        };
        recorder.head()?;
        Ok(recorder)
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

    fn head(&mut self) -> Result<(), WriteError> {
        head(
            &mut self.writer,
            &self.start,
            &self.facts,
            &self.notices,
            self.counted.as_ref(),
            self.now_ns,
        )
    }

    /// Begins the next file if this one is full.
    fn rotate(&mut self) -> Result<(), WriteError> {
        if !self.writer.is_full() {
            return Ok(());
        }
        self.start.realtime_offset_ns = clock::realtime_offset_ns();
        let Self {
            writer,
            start,
            facts,
            notices,
            counted,
            latency,
            now_ns,
            ..
        } = self;
        writer.rotate(|writer| {
            head(writer, start, facts, notices, counted.as_ref(), *now_ns)?;
            latency.head(writer, *now_ns)
        })?;
        self.wants_dump = true;
        Ok(())
    }

    #[inline]
    fn record(&mut self, record: Record<'_>) -> Result<(), WriteError> {
        match record {
            Record::Packet(record) => {
                self.counts[0] += 1;
                if record.netns != self.last_netns {
                    self.met(record.netns);
                }
                self.writer.record(record.as_bytes(), record.time_ns)
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
                let ends = DumpEnds {
                    now_ns,
                    covered: covered.cloned(),
                    lost,
                };
                self.note(note::DUMP_ENDS, &ends)
            }
            Input::Fact(fact) => {
                keep(&mut self.facts, fact);
                self.note(note::FACT, fact)
            }
            Input::Latency(measured) => self.latency.write(&mut self.writer, measured, self.now_ns),
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
                if matches!(notice, Notice::Causes { .. } | Notice::NoCauses) {
                    self.notices.push(notice.clone());
                }
                self.note(note::NOTICE, notice)
            }
            Input::Counted(counted) => {
                self.counted.get_or_insert_default().add(counted);
                count(&mut self.writer, counted, self.now_ns)
            }
            Input::Ended(ended) => {
                let mut names = Names::read();
                names.extend(&self.start.names);
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

fn head(
    writer: &mut Writer,
    start: &Start,
    facts: &[Fact],
    notices: &[Notice],
    counted: Option<&AllCounts>,
    now_ns: u64,
) -> Result<(), WriteError> {
    note_of(writer, note::START, start, now_ns)?;
    for fact in facts {
        note_of(writer, note::FACT, fact, now_ns)?;
    }
    for notice in notices {
        note_of(writer, note::NOTICE, notice, now_ns)?;
    }
    match counted {
        Some(counted) => count(writer, &counted.repeated(), now_ns),
        None => Ok(()),
    }
}

/// Keeps a fact for the heads of later files, in place of an older one about the same.
pub(super) fn keep(facts: &mut Vec<Fact>, fact: &Fact) {
    match fact {
        Fact::Defaults { netns, .. } => {
            facts.retain(|known| !matches!(known, Fact::Defaults { netns: of, .. } if of == netns));
        }
        Fact::Objects { netns, .. } => {
            facts.retain(|known| !matches!(known, Fact::Objects { netns: of, .. } if of == netns));
        }
        Fact::Symbols(_) | Fact::Names(_) => {}
    }
    facts.push(fact.clone());
}

pub(super) fn count(writer: &mut Writer, counted: &Counted, now_ns: u64) -> Result<(), WriteError> {
    CountedPart::of(counted)
        .iter()
        .try_for_each(|part| note_of(writer, note::COUNTED, part, now_ns))
}

pub(super) fn note_of(
    writer: &mut Writer,
    name: &str,
    note: &impl Serialize,
    now_ns: u64,
) -> Result<(), WriteError> {
    // Maps have keys of text or numbers only, so this cannot fail.
    let json = serde_json::to_vec(note).unwrap_or_default();
    writer.note(name, &json, now_ns)
}

/// The line of a file; empty if it cannot be read.
fn line_of(path: &str) -> String {
    fs::read_to_string(path)
        .map(|text| text.trim_end().to_owned())
        .unwrap_or_default()
}
