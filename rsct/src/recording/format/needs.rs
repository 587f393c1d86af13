//! Recordings that need another rsct, or another machine.

use std::fmt;

use thiserror::Error;

use super::{LAYOUT, VERSION};

/// The records' byte order: this machine's.
pub(super) const BYTE_ORDER: u16 = if cfg!(target_endian = "little") {
    LITTLE
} else {
    BIG
};
const LITTLE: u16 = 1;
const BIG: u16 = 2;

/// A recording that this rsct cannot read.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum Needs {
    /// The format's version is newer.
    #[error(
        "the recording has format version {version}, and this rsct reads up to {VERSION}: use rsct {needs} or later"
    )]
    Version {
        /// The recording's version.
        version: u32,
        /// The version of rsct.
        needs: Rsct,
    },
    /// The layout of records is newer.
    #[error(
        "the recording has record layout {layout}, and this rsct reads up to {LAYOUT}: use rsct {needs} or later"
    )]
    Layout {
        /// The recording's layout.
        layout: u16,
        /// The version of rsct.
        needs: Rsct,
    },
    /// It has flags that a reader has to understand.
    #[error(
        "the recording uses features {flags:#x}, which this rsct does not know: use rsct {needs} or later"
    )]
    Flags {
        /// The unknown flags.
        flags: u64,
        /// The version of rsct.
        needs: Rsct,
    },
    /// It has a type of frames that a reader has to understand.
    #[error(
        "the recording has frames of type {frame}, which this rsct does not know: use rsct {needs} or later"
    )]
    Frame {
        /// The type.
        frame: u8,
        /// The version of rsct.
        needs: Rsct,
    },
    /// A machine of another byte order made it.
    #[error("the recording was made on a {}-endian machine: read it on such a machine", endian(*.0))]
    ByteOrder(u16),
}

fn endian(byte_order: u16) -> &'static str {
    match byte_order {
        LITTLE => "little",
        BIG => "big",
        _ => "strange",
    }
}

/// The version of rsct that a recording names.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rsct([u8; 16]);

impl Rsct {
    /// The version in a header, filled up with zeros.
    pub(super) fn new(text: [u8; 16]) -> Self {
        Self(text)
    }
}

impl fmt::Display for Rsct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        write!(f, "{}", self.0.get(..end).unwrap_or_default().escape_ascii())
    }
}

impl fmt::Debug for Rsct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
