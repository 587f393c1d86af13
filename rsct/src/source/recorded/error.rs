//! Recordings that cannot be read.

use std::{io, path::PathBuf};

use crate::recording::{ReadError, Status};

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
        "cannot read {} together with {}: they come from different hosts or boots, and this command reads the recordings \
         of one boot; read them one by one",
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
