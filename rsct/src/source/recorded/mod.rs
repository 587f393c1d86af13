//! Recordings as a source, and the consumer that writes them.

mod beginning;
mod file;
mod latency;
mod recorder;
#[cfg(test)]
mod sample;
pub(crate) mod table;
mod wire;

pub(crate) use file::{FileError, Files, Window};
pub(crate) use recorder::{Recorder, RecorderOptions};
pub(crate) use wire::Start;
