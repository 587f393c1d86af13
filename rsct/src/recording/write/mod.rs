//! Writing: records are encoded on the caller's thread, and compressed and written by another.
//!
//! A disk that is slower than the records makes the caller wait, so that losses occur in the ring buffer, which counts
//! them.

mod block;
mod disk;
mod error;
mod frames;
mod open;
mod rotate;

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
};

pub use error::WriteError;

use self::disk::{Disk, Job};
use super::{
    delta::{Encoder, Key, Pushed},
    format::{Head, frame},
    note::Note,
};

/// The number of frames that wait for the disk.
const WAITING: usize = 4;
/// An open frame is closed at this age, so that a killed recorder loses less than its last second.
const OLDEST_NS: u64 = 900_000_000;

/// A recording to write.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file; `-` is standard output.
    pub path: PathBuf,
    /// The size from which on [`Writer::is_full`].
    pub max_bytes: Option<u64>,
    /// The number of files after rotations: FILE, FILE.1, …
    pub keep: usize,
    /// The slots of the records' kinds.
    pub keys: &'static [Key],
}

/// The sizes of a finished recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The bytes in all files, also in those that rotations deleted.
    pub bytes: u64,
    /// The number of files.
    pub files: u64,
}

/// What both threads know.
#[derive(Debug, Default)]
struct Shared {
    failed: AtomicBool,
    error: Mutex<Option<WriteError>>,
}

/// Writes a recording.
#[derive(Debug)]
pub struct Writer {
    encoder: Encoder,
    /// The open frame. Its payload is in the encoder.
    open: Head,
    /// The time of the first [`Self::settle`] after the frame was opened.
    open_since: Option<u64>,
    jobs: Option<SyncSender<Job>>,
    buffers: Receiver<Vec<u8>>,
    thread: Option<JoinHandle<Summary>>,
    shared: Arc<Shared>,
    max_bytes: u64,
    /// The size of the current file, with an upper limit of the frames that wait.
    bytes: Arc<AtomicU64>,
}

/// A head without a time.
const NO_TIME: (u64, u64) = (u64::MAX, 0);

impl Writer {
    /// Creates the file, which replaces an existing one, and writes its header.
    pub fn create(options: Options) -> Result<Self, WriteError> {
        let bytes = Arc::new(AtomicU64::new(0));
        let disk = Disk::create(options.path, options.keep, Arc::clone(&bytes))?;
        let (jobs, waiting) = sync_channel(WAITING);
        // One more is being filled, one being written.
        let (back, buffers) = sync_channel(WAITING + 2);
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("rsct-recording".into())
            .spawn(move || disk.run(&waiting, &back, |error| theirs.fail(error)))
            .map_err(|source| WriteError::Thread(Arc::new(source)))?;
        let mut writer = Self {
            encoder: Encoder::new(options.keys),
            open: Head::default(),
            open_since: None,
            jobs: Some(jobs),
            buffers,
            thread: Some(thread),
            shared,
            max_bytes: options.max_bytes.unwrap_or(u64::MAX),
            bytes,
        };
        writer.begin();
        Ok(writer)
    }

    /// Appends a record: 1 to 128 words of 8 bytes, of which the first byte is its kind.
    ///
    /// An error of the disk is returned when the frame is full, by [`Self::settle`], or by [`Self::finish`].
    #[inline]
    pub fn record(&mut self, record: &[u8], time_ns: u64) -> Result<(), WriteError> {
        match self.encoder.push(record) {
            Pushed::Yes => (),
            Pushed::Full => self.push_into_next(record)?,
            Pushed::Invalid => return Err(WriteError::Record(record.len())),
        }
        // Two branches that are almost always the same, rather than two stores.
        if time_ns < self.open.first_ns {
            self.open.first_ns = time_ns;
        }
        if time_ns > self.open.last_ns {
            self.open.last_ns = time_ns;
        }
        self.open.records += 1;
        Ok(())
    }

    #[cold]
    fn push_into_next(&mut self, record: &[u8]) -> Result<(), WriteError> {
        self.close()?;
        match self.encoder.push(record) {
            Pushed::Yes => Ok(()),
            Pushed::Full | Pushed::Invalid => Err(WriteError::Record(record.len())),
        }
    }

    /// Appends a note, after the records before it.
    pub fn note(&mut self, name: &str, json: &[u8], time_ns: u64) -> Result<(), WriteError> {
        self.close()?;
        let mut raw = self.buffer();
        if !(Note { name, json }).emit(&mut raw) {
            return Err(WriteError::Note(name.to_owned()));
        }
        let head = Head {
            frame: frame::NOTE,
            first_ns: time_ns,
            last_ns: time_ns,
            lost: self.open.lost,
            ..Head::default()
        };
        self.send(Job::Frame(head, raw))
    }

    /// Appends a frame of another recording, as [`super::Reader`] read it. Indices and ends are skipped: the writer
    /// writes its own.
    pub fn copy(&mut self, head: &Head, payload: &[u8]) -> Result<(), WriteError> {
        self.close()?;
        if [frame::INDEX, frame::END].contains(&head.frame) {
            return Ok(());
        }
        let mut bytes = self.buffer();
        bytes.extend(payload);
        self.open.lost = head.lost;
        self.send(Job::Copy(*head, bytes))
    }

    /// Sets the number of records that were lost since the start of the recording.
    pub fn lost(&mut self, total: u64) {
        self.open.lost = total;
    }

    /// Closes the frame if it is almost a second old. To be called every 20 ms or so.
    pub fn settle(&mut self, now_ns: u64) -> Result<(), WriteError> {
        if self.encoder.bytes() == 0 {
            self.open_since = None;
        } else {
            let since = *self.open_since.get_or_insert(now_ns);
            if now_ns.saturating_sub(since) >= OLDEST_NS {
                self.close()?;
            }
        }
        if self.shared.failed.load(Relaxed) {
            return Err(self.shared.error());
        }
        Ok(())
    }

    /// True if the file has its largest size. It may become longer by the frames that are open or wait.
    pub fn is_full(&self) -> bool {
        self.bytes.load(Relaxed) + self.encoder.bytes() as u64 >= self.max_bytes
    }

    /// Ends the file, renames it to FILE.1, and begins a new one with the notes and records that `head` writes.
    pub fn rotate(
        &mut self,
        head: impl FnOnce(&mut Self) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        self.close()?;
        self.bytes = Arc::default();
        self.send(Job::Rotate(self.open.lost, Arc::clone(&self.bytes)))?;
        head(self)
    }

    /// Ends the recording.
    pub fn finish(mut self) -> Result<Summary, WriteError> {
        let closed = self.close();
        let summary = self.end();
        closed?;
        if self.shared.failed.load(Relaxed) {
            return Err(self.shared.error());
        }
        summary.ok_or(WriteError::Ended)
    }

    fn begin(&mut self) {
        (self.open.first_ns, self.open.last_ns) = NO_TIME;
        self.open.records = 0;
        self.open.frame = frame::RECORDS;
        self.open_since = None;
    }

    /// Sends the open frame to the disk.
    fn close(&mut self) -> Result<(), WriteError> {
        if self.encoder.bytes() == 0 {
            return Ok(());
        }
        let mut raw = self.buffer();
        self.open.kinds = self.encoder.take(&mut raw);
        let head = self.open;
        self.begin();
        self.send(Job::Frame(head, raw))
    }

    fn buffer(&mut self) -> Vec<u8> {
        let mut buffer = self.buffers.try_recv().unwrap_or_default();
        buffer.clear();
        buffer
    }

    fn send(&mut self, job: Job) -> Result<(), WriteError> {
        self.bytes.fetch_add(job.bytes(), Relaxed);
        let sent = self.jobs.as_ref().map(|jobs| jobs.send(job));
        match sent {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) | None => Err(self.shared.error()),
        }
    }

    fn end(&mut self) -> Option<Summary> {
        if let Some(jobs) = self.jobs.take() {
            // If the thread has ended, there is an error.
            let _ = jobs.send(Job::End(self.open.lost));
        }
        self.thread.take()?.join().ok()
    }
}

impl Drop for Writer {
    /// Writes the rest, if the caller ends early.
    fn drop(&mut self) {
        if self.thread.is_some() {
            let _ = self.close();
            self.end();
        }
    }
}

impl Shared {
    fn fail(&self, error: WriteError) {
        *self.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        self.failed.store(true, Relaxed);
    }

    #[cold]
    fn error(&self) -> WriteError {
        let error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        error.clone().unwrap_or(WriteError::Ended)
    }
}
