//! Files of changes, in the form of `conntrack -R` and of `rsct save`: a command and its options a line.
//!
//! A file is never held as a whole. One thread reads it and turns lines into what the kernel takes ([`read`]), the
//! caller's sends that in batches ([`send`]); some chunks go round between them.

mod error;
mod fill;
mod line;
mod read;
mod send;
mod words;

pub use error::{LineError, ReadError};
pub use fill::{Filler, Lacking};
pub use line::{Command, Line, parse};
pub use read::{Chunk, Handed, Reading, Request};
pub use send::{Sender, Tally, Undone};
