//! The bytes of a recording.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Stdin},
    path::Path,
};

use super::FileError;

/// The bytes of a recording.
#[derive(Debug)]
pub(super) enum Input {
    /// A regular file of this size.
    Regular(File, u64),
    /// A pipe, or a device.
    Stream(File),
    /// Standard input.
    Stdin(Stdin),
}

impl Input {
    /// Opens a file; `-` is standard input.
    pub(super) fn open(path: &Path) -> Result<Self, FileError> {
        if path == Path::new("-") {
            return Ok(Self::Stdin(io::stdin()));
        }
        let opened = File::open(path).and_then(|file| {
            let metadata = file.metadata()?;
            Ok(match metadata.is_file() {
                true => Self::Regular(file, metadata.len()),
                false => Self::Stream(file),
            })
        });
        opened.map_err(|source| FileError::Open {
            path: path.to_owned(),
            source,
        })
    }

    /// The size of a regular file.
    pub(super) fn size(&self) -> Option<u64> {
        match self {
            Self::Regular(_, size) => Some(*size),
            Self::Stream(_) | Self::Stdin(_) => None,
        }
    }
}

impl Read for Input {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Regular(file, _) | Self::Stream(file) => file.read(bytes),
            Self::Stdin(stdin) => stdin.read(bytes),
        }
    }
}

impl Seek for Input {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Regular(file, _) => file.seek(to),
            Self::Stream(_) | Self::Stdin(_) => Err(io::ErrorKind::NotSeekable.into()),
        }
    }
}
