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

pub use error::{LineError, ReadError};
pub use fill::{Filler, Lacking};
pub use line::{Command, parse};
pub use read::{Chunk, FileReader, Handed, Request};
pub use send::{LoadCounts, Sender, Undone};
