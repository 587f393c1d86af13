//! Errors of traces and recordings.

use std::io;

use crate::source::{SourceError, live::StartError, recorded::FileError};

/// A trace cannot start, or a recording cannot be read. Its text is one sentence with the cause and what to do.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct TraceError(#[from] Failure);

/// The failure.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The event loop cannot be created.
    #[error(transparent)]
    EventLoop(#[from] io::Error),
    /// The filter has a condition that records cannot answer.
    #[error(
        "the filter's condition {0}: packet records do not have this field; `Conntrack::entries` accepts it"
    )]
    Condition(&'static str),
    /// The recording lacks a namespace.
    #[error("the recording has no network namespace {0:?}; give a name or an inode number that it has")]
    Netns(String),
    /// There are no files.
    #[error("no recording is given: name at least one file of `rsct record`")]
    NoFile,
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
}

impl From<io::Error> for TraceError {
    fn from(error: io::Error) -> Self {
        Failure::from(error).into()
    }
}

impl From<SourceError> for TraceError {
    fn from(error: SourceError) -> Self {
        Failure::from(error).into()
    }
}

impl From<FileError> for TraceError {
    fn from(error: FileError) -> Self {
        SourceError::from(error).into()
    }
}

impl From<StartError> for TraceError {
    fn from(error: StartError) -> Self {
        SourceError::from(error).into()
    }
}
