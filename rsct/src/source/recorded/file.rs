//! One file of a recording.

use std::path::{Path, PathBuf};

use crate::{
    observe::{Consumer, Ended, Fact, Input, Notice},
    recording::{Body, Head, Pause, ReadError, Reader, Status},
};

use super::{
    FileError, Window,
    bar::Bar,
    input,
    inputs::{self, parsed},
    latency::MergedLatency,
    seek::Skip,
    window::Before,
    wire::{CountedPart, Start, note},
};

/// A file that is read.
#[derive(Debug)]
pub(super) struct File {
    pub(super) path: PathBuf,
    pub(super) reader: Reader<input::Input>,
    pub(super) start: Start,
    /// The size, if it is a regular file.
    pub(super) size: Option<u64>,
    /// The time of its head on the monotonic clock.
    pub(super) begun_ns: u64,
    /// All earlier records were passed on; at the end of the file none is left.
    pub(super) position_ns: u64,
    /// The last time that it marks.
    pub(super) last_ns: u64,
    /// Its end, if it has one.
    pub(super) ended: Option<Ended>,
    /// True if its first input was passed on.
    pub(super) has_begun: bool,
    pub(super) is_done: bool,
    /// True if damage is not reported.
    pub(super) is_quiet: bool,
    /// The frames that a reader may pass over.
    pub(super) skip: Skip,
    latency: MergedLatency,
    /// The parts of a reading of counts so far.
    counted: Option<CountedPart>,
    before: Before,
    /// Where the reading of the current frame's records continues.
    paused: Option<Pause>,
}

impl File {
    /// Opens a file and reads up to its head.
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        let input = input::Input::open(path)?;
        let size = input.size();
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
                    size,
                    begun_ns: head.first_ns,
                    position_ns: head.first_ns,
                    last_ns: 0,
                    ended: None,
                    has_begun: false,
                    is_done: false,
                    is_quiet: false,
                    skip: Skip::default(),
                    latency: MergedLatency::default(),
                    counted: None,
                    before: Before::default(),
                    paused: None,
                });
            }
        }
    }

    pub(super) fn failed(&self, source: ReadError) -> FileError {
        FileError::Read {
            path: self.path.clone(),
            source,
        }
    }

    /// Passes on inputs until all records before `pause_ns` are passed on, or the file or the window ends.
    pub(super) fn run_until<C: Consumer>(
        &mut self,
        consumer: &mut C,
        window: Window,
        pause_ns: u64,
        bar: &mut Bar,
    ) -> Result<(), FileError> {
        while !consumer.is_over() {
            if self.paused.is_none() {
                if let Some(head) = self.passed_over()? {
                    bar.advance(self.reader.bytes() - self.reader.offset());
                    self.settle(consumer, head.last_ns.min(pause_ns), window);
                    continue;
                }
                let at = self.reader.bytes();
                let Some(head) = self.reader.advance().map_err(|error| self.failed(error))? else {
                    self.end();
                    return Ok(());
                };
                bar.advance(self.reader.bytes() - at);
                if head.first_ns > window.to_ns && head.first_ns != u64::MAX {
                    self.settle(consumer, window.to_ns, window);
                    self.end();
                    return Ok(());
                }
                if !self.frame(consumer, window, &head) {
                    self.end();
                    return Ok(());
                }
            }
            if self.paused.is_some() && self.records(consumer, window, pause_ns) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Reports damage.
    fn end(&mut self) {
        (self.is_done, self.position_ns) = (true, u64::MAX);
        match self.reader.status() {
            Status::Whole => {}
            _ if self.is_quiet => {}
            status => message!("{}: {status}", self.path.display()),
        }
    }

    fn settle(&mut self, consumer: &mut impl Consumer, now_ns: u64, window: Window) {
        if now_ns != 0 {
            let now_ns = now_ns.min(window.to_ns);
            (self.position_ns, self.last_ns) = (now_ns, now_ns);
            consumer.take(Input::Settled { now_ns });
        }
    }

    /// Begins a frame. Its records are passed on by [`Self::records`]. Returns false if the file is not to be read further.
    fn frame<C: Consumer>(&mut self, consumer: &mut C, window: Window, head: &Head) -> bool {
        let skips = self.skip.is_before(&self.reader);
        let found = match self.reader.body() {
            Some(Body::Records(records)) => {
                self.paused = Some(records.pause());
                return true;
            }
            Some(Body::Note(found)) => found,
            Some(Body::Index | Body::End | Body::Other) | None => return true,
        };
        match found.name {
            note::ENDED => self.ended = self.before.of_window(parsed(found.json), window, &self.start),
            note::COUNTED => self.counted = inputs::counted(self.counted.take(), found.json, consumer),
            note::NOTICE => {
                let is_before = head.first_ns < window.from_ns;
                let notice = parsed::<Notice>(found.json);
                let notice = notice.and_then(|notice| self.before.notice(notice, is_before));
                if let Some(notice) = notice {
                    consumer.take(Input::Notice(&notice));
                }
            }
            // A later part.
            note::START => match parsed::<Start>(found.json) {
                Some(start) if start.boot_id != self.start.boot_id => {
                    if !self.is_quiet {
                        message!(
                            "{}: the recording of another host or boot ({}) follows at byte {} and was not read: give it as a \
                             file of its own",
                            self.path.display(),
                            start.host,
                            self.reader.offset()
                        );
                    }
                    return false;
                }
                Some(start) => consumer.take(Input::Fact(&Fact::Names(start.names))),
                None => {}
            },
            note::DUMP_BEGINS | note::DUMP_ENDS if skips => {}
            name => {
                self.latency.note(name, found.json, consumer);
                inputs::note(name, found.json, consumer);
            }
        }
        // The next fact follows by itself.
        let _ = consumer.lacks();
        true
    }

    /// Passes on the rest of a frame's records. Returns true if it pauses before their end, or ends with the window.
    fn records<C: Consumer>(&mut self, consumer: &mut C, window: Window, pause_ns: u64) -> bool {
        let skips = self.skip.is_before(&self.reader);
        let records = self.paused.take().and_then(|pause| self.reader.resume(pause));
        let Some(mut records) = records else { return false };
        while let Some(bytes) = records.next() {
            if skips {
                inputs::beyond_dumps(bytes, consumer);
                continue;
            }
            if let Some(now_ns) = inputs::record(bytes, window.to_ns, consumer) {
                (self.position_ns, self.last_ns) = (now_ns, now_ns);
                consumer.take(Input::Settled {
                    now_ns: now_ns.min(pause_ns).min(window.to_ns),
                });
                if now_ns > window.to_ns {
                    self.end();
                    return true;
                }
                if now_ns > pause_ns {
                    self.paused = Some(records.pause());
                    let _ = consumer.lacks();
                    return true;
                }
            }
            let _ = consumer.lacks();
            if consumer.is_over() {
                return true;
            }
        }
        false
    }
}
