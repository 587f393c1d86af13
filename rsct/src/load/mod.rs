//! Files of changes in the format of `conntrack -R` and `rsct save`: one command with options per line.
//!
//! A file is never kept in memory as a whole. One thread reads it and converts lines into requests (`read`), the
//! caller's thread sends these in batches (`send`); a few chunks circulate between the two.

mod error;
mod fill;
mod line;
mod read;
mod send;
mod words;

pub(crate) use error::{LineError, ReadError};
pub(crate) use fill::{Filler, Lacking};
pub(crate) use line::Command;
pub use line::parse;
pub(crate) use read::{Chunk, FileReader, Handed, Request};
pub(crate) use send::{LoadCounts, Sender, Undone};
