//! A recording as a source.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use serde::de::DeserializeOwned;
use zerocopy::FromBytes as _;

use crate::{
    observe::{Consumer, Ended, Fact, Input, Notice},
    recording::{Body, ReadError, Reader, Status},
    records::Record,
};

use super::latency::MergedLatency;
use super::wire::{self, CountedPart, DumpBegins, DumpEnds, DumpedRecord, Start, TimeRecord, note};

/// The files of a recording.
#[derive(Debug)]
pub(crate) struct Files {
    /// The oldest first.
    files: Vec<File>,
}

/// A file that is read.
#[derive(Debug)]
struct File {
    path: PathBuf,
    reader: Reader<Box<dyn ReadDebug>>,
    start: Start,
    latency: MergedLatency,
    /// The time of its head on the monotonic clock.
    begun_ns: u64,
    /// The parts of a reading of counts so far.
    counted: Option<CountedPart>,
}

/// A reader that can be shown.
pub(crate) trait ReadDebug: Read + std::fmt::Debug {}
impl<T: Read + std::fmt::Debug> ReadDebug for T {}

/// A recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// The file cannot be opened.
    #[error("cannot open the recording {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// It cannot be read, or is no recording.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error.
        source: ReadError,
    },
    /// The files come from different hosts or boots.
    #[error(
        "cannot read {} together with {}: they come from different hosts or boots, whose times cannot be compared; read them one by one",
        .0.display(),
        .1.display()
    )]
    Differ(PathBuf, PathBuf),
    /// It ends before its first note.
    #[error("cannot read {}: {status}; it has no start", path.display())]
    NoStart {
        /// The file.
        path: PathBuf,
        /// Its condition.
        status: Status,
    },
}

/// The part of a recording to report, by the monotonic clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// The first time.
    pub from_ns: u64,
    /// The last time.
    pub to_ns: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            from_ns: 0,
            to_ns: u64::MAX,
        }
    }
}

impl Files {
    /// Opens files of one recording; `-` is standard input.
    pub(crate) fn open(paths: &[PathBuf]) -> Result<Self, FileError> {
        let mut files = paths
            .iter()
            .map(|path| File::open(path))
            .collect::<Result<Vec<_>, _>>()?;
        files.sort_by_key(|file| file.begun_ns);
        for pair in files.windows(2) {
            if let [one, next] = pair
                && one.start.boot_id != next.start.boot_id
            {
                return Err(FileError::Differ(one.path.clone(), next.path.clone()));
            }
        }
        Ok(Self { files })
    }

    /// The head of the first file.
    pub(crate) fn start(&self) -> Option<&Start> {
        self.files.first().map(|file| &file.start)
    }

    /// Passes on everything up to the window's end, the end of the files or the first damage, and reports damage. The last
    /// input is [`Input::Ended`] or [`Input::Cut`].
    pub(crate) fn run<C: Consumer>(&mut self, consumer: &mut C, window: Window) -> Result<(), FileError> {
        let mut last_ns = 0;
        let mut ended = None;
        let first_ns = self.files.first().map_or(0, |file| file.start.setup.started_ns);
        for (index, file) in self.files.iter_mut().enumerate() {
            if index > 0 {
                let names = file.start.names.clone();
                consumer.take(Input::Fact(&Fact::Names(names)));
            }
            ended = file.run(consumer, window, &mut last_ns)?;
            match file.reader.status() {
                Status::Whole => {}
                status => message!("{}: {status}", file.path.display()),
            }
        }
        match ended {
            Some(ended) => consumer.take(Input::Ended(&ended)),
            None => {
                consumer.take(Input::Settled { now_ns: last_ns });
                consumer.take(Input::Cut {
                    elapsed: Duration::from_nanos(last_ns.saturating_sub(first_ns)),
                });
            }
        }
        Ok(())
    }
}

impl File {
    /// Opens a file and reads up to its head.
    fn open(path: &Path) -> Result<Self, FileError> {
        let input: Box<dyn ReadDebug> = if path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            let opened = fs::File::open(path);
            Box::new(opened.map_err(|source| FileError::Open {
                path: path.to_owned(),
                source,
            })?)
        };
        let failed = |source| FileError::Read {
            path: path.to_owned(),
            source,
        };
        let mut reader = Reader::new(input).map_err(failed)?;
        loop {
            let found = reader.advance().map_err(failed)?;
            let Some(head) = found else {
                return Err(FileError::NoStart {
                    path: path.to_owned(),
                    status: reader.status(),
                });
            };
            if let Some(Body::Note(note)) = reader.body()
                && note.name == note::START
                && let Some(start) = parsed::<Start>(note.json)
            {
                return Ok(Self {
                    path: path.to_owned(),
                    reader,
                    start,
                    latency: MergedLatency::default(),
                    begun_ns: head.first_ns,
                    counted: None,
                });
            }
        }
    }

    /// Passes on the rest of the file. Returns its end, if it has one.
    fn run<C: Consumer>(
        &mut self,
        consumer: &mut C,
        window: Window,
        last_ns: &mut u64,
    ) -> Result<Option<Ended>, FileError> {
        let mut ended = None;
        while let Some(head) = self.reader.advance().map_err(|source| FileError::Read {
            path: self.path.clone(),
            source,
        })? {
            if consumer.is_over() || head.first_ns > window.to_ns && head.first_ns != u64::MAX {
                break;
            }
            match self.reader.body() {
                Some(Body::Records(mut records)) => {
                    while let Some(bytes) = records.next() {
                        if let Some(now_ns) = record(bytes, consumer) {
                            *last_ns = now_ns;
                        }
                        // The next fact follows by itself.
                        let _ = consumer.lacks();
                        if consumer.is_over() || *last_ns > window.to_ns {
                            return Ok(None);
                        }
                    }
                }
                Some(Body::Note(found)) if found.name == note::ENDED => {
                    ended = parsed::<Ended>(found.json);
                }
                Some(Body::Note(found)) if found.name == note::COUNTED => {
                    self.counted = counted(self.counted.take(), found.json, consumer);
                }
                Some(Body::Note(found)) => {
                    self.latency.note(found.name, found.json, consumer);
                    note(found.name, found.json, consumer);
                }
                Some(Body::Index | Body::End | Body::Other) | None => {}
            }
            let _ = consumer.lacks();
        }
        Ok(ended)
    }
}

/// Passes on a record. Returns the time that it marks, if it marks one.
fn record(bytes: &[u8], consumer: &mut impl Consumer) -> Option<u64> {
    match *bytes.first()? {
        wire::TIME => {
            let now_ns = TimeRecord::ref_from_bytes(bytes).ok()?.now_ns;
            consumer.take(Input::Settled { now_ns });
            return Some(now_ns);
        }
        wire::DUMPED => {
            let (entry, now_ns) = DumpedRecord::ref_from_bytes(bytes).ok()?.entry();
            consumer.take(Input::Dumped {
                entry: &entry,
                now_ns,
            });
        }
        // Kinds of newer versions are skipped.
        _ => consumer.take(Input::Record(Record::decode(bytes)?)),
    }
    None
}

/// Passes on a reading of counts after its last part. Returns the parts so far of an incomplete one.
fn counted(before: Option<CountedPart>, json: &[u8], consumer: &mut impl Consumer) -> Option<CountedPart> {
    let part = parsed::<CountedPart>(json)?;
    let all = match before {
        Some(mut all) if all.counted.time_ns == part.counted.time_ns => {
            all.append(part);
            all
        }
        _ => part,
    };
    if all.more {
        return Some(all);
    }
    consumer.take(Input::Counted(&all.counted));
    None
}

/// Passes on a note. Names of newer versions are skipped.
fn note(name: &str, json: &[u8], consumer: &mut impl Consumer) {
    match name {
        note::DUMP_BEGINS => {
            if let Some(DumpBegins { now_ns }) = parsed(json) {
                consumer.take(Input::DumpBegins { now_ns });
            }
        }
        note::DUMP_ENDS => {
            if let Some(ends) = parsed::<DumpEnds>(json) {
                consumer.take(Input::DumpEnds {
                    now_ns: ends.now_ns,
                    covered: ends.covered.as_ref(),
                    lost: ends.lost,
                });
            }
        }
        note::FACT => {
            if let Some(fact) = parsed::<Fact>(json) {
                consumer.take(Input::Fact(&fact));
            }
        }
        note::NOTICE => {
            if let Some(notice) = parsed::<Notice>(json) {
                consumer.take(Input::Notice(&notice));
            }
        }
        // A later part of the same recording.
        note::START => {
            if let Some(start) = parsed::<Start>(json) {
                consumer.take(Input::Fact(&Fact::Names(start.names)));
            }
        }
        _ => {}
    }
}

pub(super) fn parsed<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    serde_json::from_slice(json).ok()
}
