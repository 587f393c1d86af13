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
    #[error("a line begins with what to do: -A or -I to create, -U to update, -D to delete, -F to flush")]
    NoCommand,
    /// The line has more than one command.
    #[error("{0:?}: one command a line")]
    SecondCommand(String),
    /// The option does not exist.
    #[error("{0:?}: no such option")]
    UnknownOption(String),
    /// An option's value is missing.
    #[error("--{0} wants a value, and the line ends there")]
    NoValue(&'static str),
    /// A word that belongs to no option.
    #[error("{0:?}: belongs to no option")]
    Stray(String),
    /// The line changes another table.
    #[error("{0:?}: a file holds changes to the table conntrack alone")]
    OtherTable(String),
    /// A flush accepts only `--family`.
    #[error("-F takes no option but --family")]
    FlushOptions,
    /// A quotation mark is not closed.
    #[error("a quotation mark is not closed")]
    OpenQuote,
    /// The line is not UTF-8.
    #[error("the line is no UTF-8 text")]
    NotText,
    /// The line is too long.
    #[error("the line is longer than {0} bytes")]
    TooLong(usize),
}

/// Error in reading a file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file cannot be opened.
    #[error("opening {name} to load it: {source}")]
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
