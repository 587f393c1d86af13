//! The head of a frame.

use std::mem::offset_of;

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    little_endian::{U32, U64},
};

use super::MAX_FRAME_BYTES;

/// The head of a frame, as it is on disk.
#[repr(C)]
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
pub(in crate::recording) struct DiskHead {
    payload_bytes: U32,
    raw_bytes: U32,
    frame: u8,
    kinds: u8,
    reserved: [u8; 2],
    payload_crc: U32,
    first_ns: U64,
    last_ns: U64,
    lost: U64,
    records: U32,
    head_crc: U32,
}

pub(in crate::recording) const HEAD_BYTES: usize = size_of::<DiskHead>();
const _: () = assert!(HEAD_BYTES == 48);
/// The frame's length, repeated after its payload.
pub(in crate::recording) const TRAILER_BYTES: usize = 4;

/// The part of a frame's head that its checksum covers.
const HEAD_SUMMED: usize = offset_of!(DiskHead, head_crc);

/// The kinds of a frame's records: a bit for each kind from 1 to 6, bit 7 for all greater ones. Without a bit: unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u8);

impl Kinds {
    /// Adds a kind.
    pub(in crate::recording) fn add(&mut self, kind: u8) {
        self.0 |= 1 << kind.min(7);
    }

    /// Returns whether records of this kind may be in the frame.
    pub(crate) fn may_have(self, kind: u8) -> bool {
        self.0 == 0 || self.0 & 1 << kind.min(7) != 0
    }
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// The type: see [`super::frame`].
    pub frame: u8,
    /// The kinds of its records, as [`Kinds`] has them.
    pub kinds: Kinds,
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
    pub(in crate::recording) fn to_disk(self) -> [u8; HEAD_BYTES] {
        let mut head = DiskHead {
            payload_bytes: self.payload_bytes.into(),
            raw_bytes: self.raw_bytes.into(),
            frame: self.frame,
            kinds: self.kinds.0,
            reserved: [0; 2],
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
    pub(in crate::recording) fn from_disk(bytes: &[u8; HEAD_BYTES]) -> Result<Self, &'static str> {
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
            kinds: Kinds(head.kinds),
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
    use super::{super::frame, *};

    #[test]
    fn a_head_is_read_back_and_every_bit_of_it_is_checked() {
        let head = Head {
            frame: frame::RECORDS,
            kinds: Kinds(8),
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
