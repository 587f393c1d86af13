//! The fixed parts of the format: the header of a file, and the head of a frame. docs/recording.md describes them.

use std::{fmt, mem::offset_of};

use thiserror::Error;
use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

/// The first bytes of a recording: not text, and changed by a transfer that converts the ends of lines.
pub(super) const MAGIC: [u8; 16] = *b"\x89rsct-record\r\n\x1a\n";
/// The version of the format.
pub const VERSION: u32 = 1;
/// The first version of rsct that reads [`VERSION`].
const NEEDS: &[u8] = b"0.1.0";
/// The version of the records' layout in rsct-common.
pub const LAYOUT: u16 = 1;
/// The records' byte order: this machine's.
const BYTE_ORDER: u16 = if cfg!(target_endian = "little") {
    LITTLE
} else {
    BIG
};
const LITTLE: u16 = 1;
const BIG: u16 = 2;
/// Flags that a reader has to understand: none yet.
const UNDERSTOOD: u64 = 0;

/// The longest payload of a frame, compressed or not.
pub const MAX_FRAME_BYTES: usize = 1 << 20;

/// The types of frames.
pub mod frame {
    /// Records, delta coded.
    pub const RECORDS: u8 = 1;
    /// A note.
    pub const NOTE: u8 = 2;
    /// The positions of the frames since the last index.
    pub const INDEX: u8 = 3;
    /// The end of a recording that was closed.
    pub const END: u8 = 4;
    /// A reader skips unknown types below, and refuses those from here on.
    pub const MUST_UNDERSTAND: u8 = 128;
}

/// The header of a file.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
pub(super) struct Header {
    magic: [u8; 16],
    version: U32,
    byte_order: U16,
    layout: U16,
    may_ignore: U64,
    must_understand: U64,
    needs: [u8; 16],
    reserved: U32,
    crc: U32,
}

pub(super) const HEADER_BYTES: usize = size_of::<Header>();
const _: () = assert!(HEADER_BYTES == 64);

/// The part of a header that its checksum covers.
const HEADER_SUMMED: usize = offset_of!(Header, crc);

/// Bytes that are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// The magic differs.
    Foreign,
    /// The ends of lines were converted.
    Text,
    /// The checksum differs.
    Checksum,
    /// Another version is needed.
    Needs(Needs),
}

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

impl Header {
    /// The header of a new file.
    pub(super) fn new() -> Self {
        let mut needs = [0; 16];
        for (to, from) in needs.iter_mut().zip(NEEDS) {
            *to = *from;
        }
        let header = Self {
            magic: MAGIC,
            version: VERSION.into(),
            byte_order: BYTE_ORDER.into(),
            layout: LAYOUT.into(),
            may_ignore: 0.into(),
            must_understand: 0.into(),
            needs,
            reserved: 0.into(),
            crc: 0.into(),
        };
        header.summed()
    }

    fn summed(mut self) -> Self {
        self.crc = self.sum().into();
        self
    }

    fn sum(&self) -> u32 {
        crc32fast::hash(self.as_bytes().get(..HEADER_SUMMED).unwrap_or_default())
    }

    /// Checks the header. The order of the checks is part of the format: a newer version keeps magic and checksum.
    pub(super) fn check(bytes: &[u8; HEADER_BYTES]) -> Result<Self, HeaderFault> {
        let header: Self = zerocopy::transmute!(*bytes);
        if header.magic != MAGIC {
            let text =
                bytes.starts_with(b"\x89rsct-record\n") || bytes.starts_with(b"\x89rsct-record\r\n\x1a\r");
            return Err(if text {
                HeaderFault::Text
            } else {
                HeaderFault::Foreign
            });
        }
        if header.sum() != header.crc.get() {
            return Err(HeaderFault::Checksum);
        }
        let needs = header.needs();
        let flags = header.must_understand.get() & !UNDERSTOOD;
        let (version, layout) = (header.version.get(), header.layout.get());
        Err(HeaderFault::Needs(if version > VERSION {
            Needs::Version { version, needs }
        } else if flags != 0 {
            Needs::Flags { flags, needs }
        } else if header.byte_order.get() != BYTE_ORDER {
            Needs::ByteOrder(header.byte_order.get())
        } else if layout > LAYOUT {
            Needs::Layout { layout, needs }
        } else {
            return Ok(header);
        }))
    }

    /// The version of rsct that reads the file.
    pub(super) fn needs(&self) -> Rsct {
        Rsct(self.needs)
    }

    /// The layout of its records.
    pub(super) fn layout(&self) -> u16 {
        self.layout.get()
    }
}

/// The head of a frame, as it is on disk.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
pub(super) struct DiskHead {
    payload_bytes: U32,
    raw_bytes: U32,
    frame: u8,
    reserved: [u8; 3],
    payload_crc: U32,
    first_ns: U64,
    last_ns: U64,
    lost: U64,
    records: U32,
    head_crc: U32,
}

pub(super) const HEAD_BYTES: usize = size_of::<DiskHead>();
const _: () = assert!(HEAD_BYTES == 48);
/// The frame's length, repeated after its payload.
pub(super) const TRAILER_BYTES: usize = 4;

/// The part of a frame's head that its checksum covers.
const HEAD_SUMMED: usize = offset_of!(DiskHead, head_crc);

/// The head of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The type: see [`frame`].
    pub frame: u8,
    /// The earliest time in it, of the monotonic clock.
    pub first_ns: u64,
    /// The latest time in it.
    pub last_ns: u64,
    /// The number of records that were lost between the start of the recording and this frame's end.
    pub lost: u64,
    /// The number of its records.
    pub records: u32,
    /// The size of its payload.
    pub payload_bytes: u32,
    /// The size of its payload before it was compressed, or zero if it is not compressed.
    pub raw_bytes: u32,
    /// The checksum of its payload.
    pub payload_crc: u32,
}

impl Head {
    /// The bytes on disk.
    pub(super) fn to_disk(self) -> [u8; HEAD_BYTES] {
        let mut head = DiskHead {
            payload_bytes: self.payload_bytes.into(),
            raw_bytes: self.raw_bytes.into(),
            frame: self.frame,
            reserved: [0; 3],
            payload_crc: self.payload_crc.into(),
            first_ns: self.first_ns.into(),
            last_ns: self.last_ns.into(),
            lost: self.lost.into(),
            records: self.records.into(),
            head_crc: 0.into(),
        };
        head.head_crc = head.sum().into();
        zerocopy::transmute!(head)
    }

    /// Reads a head, if its checksum and sizes are valid.
    pub(super) fn from_disk(bytes: &[u8; HEAD_BYTES]) -> Result<Self, &'static str> {
        let head: DiskHead = zerocopy::transmute!(*bytes);
        if head.sum() != head.head_crc.get() {
            return Err("the checksum of a frame's head differs");
        }
        let sizes = [head.payload_bytes, head.raw_bytes];
        if sizes.iter().any(|size| size.get() as usize > MAX_FRAME_BYTES) {
            return Err("a frame is longer than 1 MiB");
        }
        Ok(Self {
            frame: head.frame,
            first_ns: head.first_ns.get(),
            last_ns: head.last_ns.get(),
            lost: head.lost.get(),
            records: head.records.get(),
            payload_bytes: head.payload_bytes.get(),
            raw_bytes: head.raw_bytes.get(),
            payload_crc: head.payload_crc.get(),
        })
    }
}

impl DiskHead {
    fn sum(&self) -> u32 {
        crc32fast::hash(self.as_bytes().get(..HEAD_SUMMED).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(change: impl FnOnce(&mut Header)) -> Result<Header, HeaderFault> {
        let mut header = Header::new();
        change(&mut header);
        Header::check(&zerocopy::transmute!(header.summed()))
    }

    fn refusal(change: impl FnOnce(&mut Header)) -> String {
        match checked(change) {
            Err(HeaderFault::Needs(needs)) => needs.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_header_names_the_version_that_it_needs() {
        assert_eq!(checked(|_| ()).unwrap().needs().to_string(), "0.1.0");
        let newer = |header: &mut Header| header.needs = *b"12.0.0\x1b\0garbage!";
        let text = refusal(|header| {
            newer(header);
            header.version = 2.into();
        });
        assert_eq!(
            text,
            "the recording has format version 2, and this rsct reads up to 1: use rsct 12.0.0\\x1b or later"
        );
        let text = refusal(|header| {
            newer(header);
            header.must_understand = 0x11.into();
        });
        assert_eq!(
            text,
            "the recording uses features 0x11, which this rsct does not know: use rsct 12.0.0\\x1b or later"
        );
        assert!(refusal(|header| header.layout = 2.into()).contains("record layout 2"));
        assert_eq!(
            refusal(|header| header.byte_order = (3 - BYTE_ORDER).into()),
            "the recording was made on a big-endian machine: read it on such a machine"
        );
        assert!(checked(|header| header.may_ignore = u64::MAX.into()).is_ok());
    }

    #[test]
    fn text_and_damage_are_distinguished_from_foreign_files() {
        let whole: [u8; HEADER_BYTES] = zerocopy::transmute!(Header::new());
        let mut bytes = whole;
        bytes[40] ^= 1;
        assert_eq!(Header::check(&bytes).unwrap_err(), HeaderFault::Checksum);
        bytes = whole;
        bytes.copy_within(13.., 12);
        assert_eq!(Header::check(&bytes).unwrap_err(), HeaderFault::Text);
        assert_eq!(Header::check(&[0; 64]).unwrap_err(), HeaderFault::Foreign);
    }

    #[test]
    fn the_magic_is_no_length_of_a_frame() {
        let [a, b, c, d, ..] = MAGIC;
        assert!(u32::from_le_bytes([a, b, c, d]) as usize > MAX_FRAME_BYTES);
    }

    #[test]
    fn a_head_is_read_back_and_every_bit_of_it_is_checked() {
        let head = Head {
            frame: frame::RECORDS,
            first_ns: 1,
            last_ns: u64::MAX,
            lost: 3,
            records: 4,
            payload_bytes: 5,
            raw_bytes: 6,
            payload_crc: 7,
        };
        let bytes = head.to_disk();
        assert_eq!(Head::from_disk(&bytes), Ok(head));
        for bit in 0..HEAD_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            Head::from_disk(&flipped).unwrap_err();
        }
        let long = Head {
            raw_bytes: 1 << 20 | 1,
            ..head
        };
        Head::from_disk(&long.to_disk()).unwrap_err();
    }
}
