//! What a dump does not tell of an entry.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::TupleWords;

/// An entry that ctnetlink wrote into a message, where there is more to know of its timeout than the message says.
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
    /// The netlink port that the message goes to.
    pub portid: u32,
    /// Zero.
    pub reserved: u32,
    /// The address of the policy that governs it, or zero. A [`super::PolicyRecord`] came before.
    pub policy: u64,
    /// The original direction.
    pub orig: TupleWords,
}

const _: () = assert!(size_of::<DumpRecord>() == 64);

/// Bits of [`DumpRecord::flags`]: why TCP shortens the timeout.
#[derive(Clone, Copy, Debug)]
pub struct DumpFlags;

impl DumpFlags {
    /// Data was sent that nobody has acknowledged.
    pub const UNACKNOWLEDGED: u8 = 1 << 0;
    /// As many segments were sent again as the namespace allows.
    pub const RETRANSMITTED: u8 = 1 << 1;
    /// The last window was zero.
    pub const ZERO_WINDOW: u8 = 1 << 2;
}
