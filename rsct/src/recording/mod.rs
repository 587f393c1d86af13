//! The file format of recordings: records of fixed size, and notes in JSON, in frames that stand alone.
//!
//! The module knows no probes and no commands: a record is a slice of bytes whose first byte is its kind. A recording
//! can be truncated anywhere or concatenated to another, and is read in constant memory. docs/recording.md describes
//! the bytes.

mod contents;
mod delta;
mod format;
mod note;
mod read;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use contents::Contents;
pub use delta::{Key, MAX_RECORD_BYTES};
pub use format::{Head, Kinds, LAYOUT, MAX_FRAME_BYTES, Needs, Rsct, VERSION, frame};
pub use note::Note;
pub(crate) use read::Pause;
#[doc(hidden)]
pub use read::sealed;
pub use read::{Body, ReadError, Reader, Records, Status};
#[cfg(test)]
pub(crate) use sample::seeds;
pub use write::{Options, Summary, WriteError, Writer};
