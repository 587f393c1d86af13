//! A recording of a part of another one.
//!
//! The part begins with everything that its replay needs from before: facts, notices, counts, and a dump of the entries
//! that exist then. Their times stay before the window that the start note names, so that no reader reports them.

mod claims;
mod context;
mod counts;
mod cutter;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use crate::{
    filter::Filter,
    recording::{Summary, WriteError},
};

use self::cutter::Cutter;
use super::{FileError, Files, Start, Window};

/// The part of a recording to keep.
#[derive(Clone, Debug)]
pub(crate) struct CutOptions {
    /// The file to write; `-` is standard output.
    pub path: PathBuf,
    /// The flows.
    pub filter: Filter,
    /// The inode number of the only namespace; none for all.
    pub netns: Option<u32>,
    /// The time.
    pub window: Window,
}

/// A recording cannot be cut.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CutError {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] FileError),
    /// The part cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// The result of a cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Written {
    /// The size of the part.
    pub summary: Summary,
    /// The number of records, without those that the replay needs from before.
    pub records: u64,
    /// True if measured durations were omitted: they belong to no flow and no namespace.
    pub without_latency: bool,
}

/// Writes a part of a recording.
pub(crate) fn cut(files: &mut Files, start: &Start, options: CutOptions) -> Result<Written, CutError> {
    let to = Window {
        from_ns: 0,
        to_ns: options.window.to_ns,
    };
    let mut cutter = Cutter::create(start, options)?;
    files.run(&mut cutter, to)?;
    Ok(cutter.finish()?)
}
