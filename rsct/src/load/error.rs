//! Errors in a line, and in reading a file.

use std::io;

use thiserror::Error;

use crate::entry_spec::SpecError;

/// Error in a line.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineError {
    /// The options describe no entry.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The line has no command.
    #[error("the line has no command: use -A or -I (create), -U (update), -D (delete) or -F (flush)")]
    NoCommand,
    /// The line has more than one command.
    #[error("{0:?}: a line has only one command")]
    SecondCommand(String),
    /// The option does not exist.
    #[error("{0:?}: no such option")]
    UnknownOption(String),
    /// An option's value is missing.
    #[error("--{0} needs a value, but the line ends")]
    NoValue(&'static str),
    /// A word that belongs to no option.
    #[error("{0:?}: unexpected argument")]
    Stray(String),
    /// The line changes another table.
    #[error("{0:?}: a file can only change the table conntrack")]
    OtherTable(String),
    /// A flush accepts only `--family`.
    #[error("-F accepts only --family")]
    FlushOptions,
    /// A quotation mark is not closed.
    #[error("the closing quotation mark is missing")]
    OpenQuote,
    /// The line is not UTF-8.
    #[error("the line is not UTF-8")]
    NotText,
    /// The line is too long.
    #[error("the line is longer than {0} bytes")]
    TooLong(usize),
}

/// Error in reading a file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub(crate) enum ReadError {
    /// The file cannot be opened.
    #[error("opening {name}: {source}")]
    Open {
        /// The file.
        name: String,
        /// The cause.
        source: io::Error,
    },
    /// Reading failed.
    #[error("reading {name}: {source}")]
    Read {
        /// The file.
        name: String,
        /// The cause.
        source: io::Error,
    },
    /// The reader thread cannot be started.
    #[error("starting a thread to read {name}: {source}")]
    Thread {
        /// The file.
        name: String,
        /// The cause.
        source: io::Error,
    },
}
