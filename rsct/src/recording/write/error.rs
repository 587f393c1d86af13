//! Errors in writing.

use std::{io, path::PathBuf, sync::Arc};

use thiserror::Error;

/// Error in writing a recording, after which the file ends with its last whole frame.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The file cannot be created.
    #[error("creating the recording {}: {source}{}", path.display(), advice(source))]
    Create {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: Arc<io::Error>,
    },
    /// Another recorder writes the file.
    #[error("creating the recording {}: another rsct is writing this file; give another one", .0.display())]
    InUse(PathBuf),
    /// The file was deleted.
    #[error(
        "writing the recording {}: another process deleted the file, and nothing of it is left; record to a file that stays",
        .0.display()
    )]
    Deleted(PathBuf),
    /// Writing failed.
    #[error("writing the recording {}: {source}{}; the recording ends here, and its {bytes} bytes are valid", path.display(), advice(source))]
    Write {
        /// The file.
        path: PathBuf,
        /// The size of the file.
        bytes: u64,
        /// The cause.
        source: Arc<io::Error>,
    },
    /// An older file cannot be renamed.
    #[error("renaming the recording {} to {}: {source}; the recording ends here", from.display(), to.display())]
    Rename {
        /// The old name.
        from: PathBuf,
        /// The new name.
        to: PathBuf,
        /// The cause.
        source: Arc<io::Error>,
    },
    /// The thread that writes cannot be started.
    #[error("starting the thread that writes the recording: {0}")]
    Thread(Arc<io::Error>),
    /// The thread that writes ended.
    #[error("the thread that writes the recording ended before the recording")]
    Ended,
    /// The note is longer than a frame.
    #[error(
        "writing the note {0:?} into the recording: a note has at most 1 MiB, and its name at most 255 bytes"
    )]
    Note(String),
    /// The record has no valid size.
    #[error("writing a record of {0} bytes into the recording: a record has 1 to 128 words of 8 bytes")]
    Record(usize),
}

/// The remedy, where it is known.
fn advice(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            " (free space, or limit the recording's size)"
        }
        io::ErrorKind::NotFound => " (create its directory)",
        _ => "",
    }
}
