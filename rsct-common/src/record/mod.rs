//! What the programs write into the ring.

mod entry;
mod packet;

pub use entry::{EntryFlags, EntryKind, EntryRecord};
pub use packet::{PacketFlags, PacketRecord};

/// The first byte of every record.
pub mod kind {
    /// A [`super::PacketRecord`].
    pub const PACKET: u8 = 1;
    /// An [`super::EntryRecord`].
    pub const ENTRY: u8 = 2;
}
