//! The thread that writes: it compresses frames, writes them, and rotates files.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender},
    },
};

use super::{
    Summary, WriteError,
    frames::{Frames, Sink},
    open::{is_deleted, is_stdout, open},
    rotate::shift,
};
use crate::recording::format::Head;

/// Work for the thread.
#[derive(Debug)]
pub(super) enum Job {
    /// A frame, and its payload before it is compressed.
    Frame(Head, Vec<u8>),
    /// A frame, and its payload as it will be on disk.
    Copy(Head, Vec<u8>),
    /// End the file and begin another, whose size is counted here.
    Rotate(u64, Arc<AtomicU64>),
    /// End the recording.
    End(u64),
}

impl Job {
    /// The bytes that it may add to the file.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Self::Frame(_, payload) | Self::Copy(_, payload) => payload.len() as u64,
            Self::Rotate(..) | Self::End(_) => 0,
        }
    }
}

impl Sink for File {
    fn truncate(&mut self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)?;
        io::Seek::seek(self, io::SeekFrom::Start(bytes)).map(|_| ())
    }

    fn is_deleted(&self) -> bool {
        is_deleted(self)
    }
}

/// The files of a recording.
#[derive(Debug)]
pub(super) struct Disk {
    path: PathBuf,
    keep: usize,
    frames: Frames<File>,
    /// The size of the current file, for the caller.
    bytes: Arc<AtomicU64>,
    summary: Summary,
}

impl Disk {
    /// Creates the first file.
    pub(super) fn create(path: PathBuf, keep: usize, bytes: Arc<AtomicU64>) -> Result<Self, WriteError> {
        let frames = begin(&path)?;
        bytes.fetch_add(frames.bytes(), Relaxed);
        Ok(Self {
            path,
            keep,
            frames,
            bytes,
            summary: Summary::default(),
        })
    }

    /// Works until the recording ends or an error is reported.
    pub(super) fn run(
        mut self,
        jobs: &Receiver<Job>,
        back: &SyncSender<Vec<u8>>,
        fail: impl FnOnce(WriteError),
    ) -> Summary {
        while let Ok(job) = jobs.recv() {
            let end = matches!(job, Job::End(_));
            match self.perform(job) {
                Ok(buffer) => {
                    // If there are enough buffers, this one is freed.
                    let _ = back.try_send(buffer);
                }
                Err(error) => {
                    fail(error);
                    break;
                }
            }
            if end {
                break;
            }
        }
        self.count();
        self.summary
    }

    fn perform(&mut self, job: Job) -> Result<Vec<u8>, WriteError> {
        let (before, expected) = (self.frames.bytes(), job.bytes());
        let (written, buffer) = match job {
            Job::Frame(head, raw) => (self.frames.put(head, &raw), raw),
            Job::Copy(head, payload) => (self.frames.copy(head, &payload), payload),
            Job::Rotate(lost, bytes) => {
                self.end(lost)?;
                self.rotate(bytes)?;
                return Ok(Vec::new());
            }
            Job::End(lost) => {
                self.end(lost)?;
                return Ok(Vec::new());
            }
        };
        written.map_err(|source| self.broken(source))?;
        if self.frames.sink().is_deleted() {
            return Err(WriteError::Deleted(self.path.clone()));
        }
        self.bytes.fetch_add(self.frames.bytes() - before, Relaxed);
        self.bytes.fetch_sub(expected, Relaxed);
        Ok(buffer)
    }

    fn end(&mut self, lost: u64) -> Result<(), WriteError> {
        self.frames.end(lost).map_err(|source| self.broken(source))
    }

    /// Makes the file valid after a failed write.
    fn broken(&mut self, source: io::Error) -> WriteError {
        self.frames.repair();
        WriteError::Write {
            path: self.path.clone(),
            bytes: self.frames.bytes(),
            source: Arc::new(source),
        }
    }

    fn rotate(&mut self, bytes: Arc<AtomicU64>) -> Result<(), WriteError> {
        if !is_stdout(&self.path) {
            shift(&self.path, self.keep)?;
        }
        let next = begin(&self.path)?;
        self.count();
        bytes.fetch_add(next.bytes(), Relaxed);
        self.frames = next;
        self.bytes = bytes;
        Ok(())
    }

    fn count(&mut self) {
        self.summary.bytes += self.frames.bytes();
        self.summary.files += 1;
    }
}

/// Creates a file and writes its header.
fn begin(path: &Path) -> Result<Frames<File>, WriteError> {
    Frames::begin(open(path)?).map_err(|source| WriteError::Create {
        path: path.to_owned(),
        source: Arc::new(source),
    })
}
