//! Facts about a dumped entry that the dump does not contain.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::TupleWords;

/// An entry that ctnetlink wrote into a message, with facts about its timeout that the message does not contain.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct DumpRecord {
    /// [`super::kind::DUMP`].
    pub kind: u8,
    /// [`DumpFlags`].
    pub flags: u8,
    /// The zone.
    pub zone: u16,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// The netlink port of the message's receiver.
    pub portid: u32,
    /// Zero.
    pub reserved: u32,
    /// The address of the policy that governs it, or zero. A [`super::PolicyRecord`] precedes it.
    pub policy: u64,
    /// The original direction.
    pub orig: TupleWords,
}

const _: () = assert!(size_of::<DumpRecord>() == 64);

/// Bits of [`DumpRecord::flags`]: the reasons why TCP shortens the timeout.
#[derive(Clone, Copy, Debug)]
pub struct DumpFlags;

impl DumpFlags {
    /// Sent data is unacknowledged.
    pub const UNACKNOWLEDGED: u8 = 1 << 0;
    /// The number of retransmissions has reached the namespace's limit.
    pub const RETRANSMITTED: u8 = 1 << 1;
    /// The last window was zero.
    pub const ZERO_WINDOW: u8 = 1 << 2;
}
