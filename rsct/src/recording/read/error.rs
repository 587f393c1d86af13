//! Files that cannot be read, and the condition of those that can.

use std::{fmt, io};

use thiserror::Error;

use crate::recording::format::Needs;

/// Error in reading a recording. The caller adds the file's name.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no recording.
    #[error("the file is no recording of rsct: its first bytes differ")]
    Foreign,
    /// A transfer converted the ends of lines.
    #[error("the recording was transferred as text, which damaged it: transfer it again as binary")]
    Text,
    /// Another version of rsct reads it.
    #[error(transparent)]
    Needs(#[from] Needs),
}

/// The condition of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was closed, and all of it was read.
    Whole,
    /// It breaks off: the recorder was killed. Every frame before was read.
    Torn {
        /// The end of the last whole frame.
        offset: u64,
    },
    /// It is damaged. Every frame before was read, and none after.
    Damaged {
        /// The position of the damaged frame.
        offset: u64,
        /// The damage.
        what: &'static str,
    },
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("the recording is whole"),
            Self::Torn { offset } => write!(
                f,
                "the recording breaks off at byte {offset}, because its recorder was killed: up to its last second is missing"
            ),
            Self::Damaged { offset, what } => write!(
                f,
                "the recording is damaged at byte {offset}: {what}; the frames before are intact, those after it were not read"
            ),
        }
    }
}
