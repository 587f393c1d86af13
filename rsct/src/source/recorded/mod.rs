//! Recordings as a source, and the consumer that writes them.

mod bar;
mod beginning;
pub(crate) mod boots;
pub(crate) mod cut;
mod error;
mod file;
mod files;
mod input;
mod inputs;
#[cfg(test)]
mod large;
mod latency;
#[cfg(test)]
mod made;
#[cfg(test)]
mod merge_tests;
mod recorder;
#[cfg(test)]
mod sample;
mod seek;
pub(crate) mod table;
mod window;
mod wire;

pub(crate) use error::FileError;
pub(crate) use files::Files;
pub(crate) use recorder::{Recorder, RecorderOptions};
pub(crate) use window::Window;
pub(crate) use wire::Start;
