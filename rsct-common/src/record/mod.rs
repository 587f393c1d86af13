//! The records that the programs write into the ring.

mod cause;
mod dump;
mod entry;
mod packet;
mod policy;
mod slow;

pub use cause::{
    CauseCount, CauseCountWords, CauseFamily, CauseFlags, CauseKey, CauseKeyWords, CauseRecord, NUMBERS,
    STACK_FRAMES, TEXT_BYTES, delete, drop, lost, nat, what, window,
};
pub use dump::{DumpFlags, DumpRecord};
pub use entry::{EntryFlags, EntryKind, EntryRecord};
pub use packet::{IcmpError, PacketFlags, PacketRecord};
pub use policy::{POLICY_VALUES, PolicyEvent, PolicyRecord};
pub use slow::{STACK_DEPTH, SlowFlags, SlowRecord};

/// The first byte of every record.
pub mod kind {
    /// A [`super::PacketRecord`].
    pub const PACKET: u8 = 1;
    /// An [`super::EntryRecord`].
    pub const ENTRY: u8 = 2;
    /// A [`super::PolicyRecord`].
    pub const POLICY: u8 = 3;
    /// A [`super::DumpRecord`].
    pub const DUMP: u8 = 4;
    /// A [`super::CauseRecord`].
    pub const CAUSE: u8 = 5;
    /// A [`super::SlowRecord`].
    pub const SLOW: u8 = 16;
}
