//! Result of an operation on an entry, read from its record.

use rsct_common::record::{EntryFlags, EntryKind, EntryRecord};

use super::delete_kind::DeleteKind;
use crate::names::verdict;

/// What an operation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Operation {
    /// No entry was allocated.
    AllocFailed,
    /// The entry is in the table from now on.
    Inserted,
    /// The entry of the first packet is in the table.
    Confirmed,
    /// The table already had an entry of the same flow: the kernel assigned that one to the packet.
    Clash,
    /// The entry of the first packet did not get into the table, and the packet was dropped.
    NotConfirmed,
    /// ctnetlink or a BPF program put the entry into the table.
    Created,
    /// ctnetlink or a BPF program failed to do so.
    NotCreated,
    /// The timeout was refreshed outside a packet's traversal.
    Refreshed,
    /// ctnetlink or a BPF program set the timeout.
    ChangedTimeout,
    /// The entry was deleted.
    Deleted(DeleteKind),
    /// The entry was destroyed.
    Destroyed,
}

impl Operation {
    /// Reads the record; none if its kind is unknown.
    pub(crate) fn of(record: &EntryRecord) -> Option<Self> {
        Some(match EntryKind::from_byte(record.what)? {
            EntryKind::AllocFailed => Self::AllocFailed,
            EntryKind::Insert => Self::Inserted,
            EntryKind::Confirm if record.flags & EntryFlags::OTHER_ENTRY != 0 => Self::Clash,
            EntryKind::Confirm if record.ret != verdict::ACCEPT.cast_signed() => Self::NotConfirmed,
            EntryKind::Confirm => Self::Confirmed,
            EntryKind::CheckInsert if record.ret < 0 => Self::NotCreated,
            EntryKind::CheckInsert => Self::Created,
            EntryKind::Refresh => Self::Refreshed,
            EntryKind::ChangeTimeout => Self::ChangedTimeout,
            EntryKind::Delete => Self::Deleted(DeleteKind::of(record)),
            EntryKind::Destroy => Self::Destroyed,
        })
    }
}
