//! The header of a file.

use std::mem::offset_of;

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U16, U32, U64},
};

use super::{LAYOUT, Needs, Rsct, VERSION, needs::BYTE_ORDER};

/// The first bytes of a recording: not text, and changed by a transfer that converts the ends of lines.
pub(in crate::recording) const MAGIC: [u8; 16] = *b"\x89rsct-record\r\n\x1a\n";
/// The first version of rsct that reads [`VERSION`].
const NEEDS: &[u8] = b"0.1.0";
/// Flags that a reader has to understand: none yet.
const UNDERSTOOD: u64 = 0;

/// The header of a file.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
pub(in crate::recording) struct Header {
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

pub(in crate::recording) const HEADER_BYTES: usize = size_of::<Header>();
const _: () = assert!(HEADER_BYTES == 64);

/// The part of a header that its checksum covers.
const HEADER_SUMMED: usize = offset_of!(Header, crc);

/// Bytes that are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::recording) enum HeaderFault {
    /// The magic differs.
    Foreign,
    /// The ends of lines were converted.
    Text,
    /// The checksum differs.
    Checksum,
    /// Another version is needed.
    Needs(Needs),
}

impl Header {
    /// The header of a new file.
    pub(in crate::recording) fn new() -> Self {
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
    pub(in crate::recording) fn check(bytes: &[u8; HEADER_BYTES]) -> Result<Self, HeaderFault> {
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
    pub(in crate::recording) fn needs(&self) -> Rsct {
        Rsct::new(self.needs)
    }

    /// The layout of its records.
    pub(in crate::recording) fn layout(&self) -> u16 {
        self.layout.get()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::MAX_FRAME_BYTES, *};

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
}
