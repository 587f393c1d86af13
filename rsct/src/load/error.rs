//! What can be wrong with a line, and with a file.

use std::io;

use thiserror::Error;

use crate::entry_spec::SpecError;

/// Why a line says nothing that can be done.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineError {
    /// The options describe no entry.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// No command stands there.
    #[error("a line begins with what to do: -A or -I to create, -U to update, -D to delete, -F to flush")]
    NoCommand,
    /// More than one command stands there.
    #[error("{0:?}: one command a line")]
    SecondCommand(String),
    /// Nothing goes by that name.
    #[error("{0:?}: no such option")]
    UnknownOption(String),
    /// An option's value is missing.
    #[error("--{0} wants a value, and the line ends there")]
    NoValue(&'static str),
    /// A word that belongs to no option.
    #[error("{0:?}: belongs to no option")]
    Stray(String),
    /// The line is about another table.
    #[error("{0:?}: a file holds changes to the table conntrack alone")]
    OtherTable(String),
    /// A flush takes nothing but a family.
    #[error("-F takes no option but --family")]
    FlushOptions,
    /// A quotation mark has no other to close it.
    #[error("a quotation mark is not closed")]
    OpenQuote,
    /// The bytes are no text.
    #[error("the line is no UTF-8 text")]
    NotText,
    /// No line of options is so long.
    #[error("the line is longer than {0} bytes")]
    TooLong(usize),
}

/// Why a file can't be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It can't be opened.
    #[error("opening {name} to load it: {source}")]
    Open {
        /// What was to be opened.
        name: String,
        /// What is wrong.
        source: io::Error,
    },
    /// Reading broke off.
    #[error("reading {name}: {source}")]
    Read {
        /// What was read.
        name: String,
        /// What is wrong.
        source: io::Error,
    },
    /// There is no thread to read on.
    #[error("starting a thread to read {name}: {source}")]
    Thread {
        /// What was to be read.
        name: String,
        /// What is wrong.
        source: io::Error,
    },
}
