//! How an entry left the table, as far as the record of its delete tells; why is what `crate::causes` knows.

use rsct_common::record::{EntryFlags, EntryKind, EntryRecord};

use super::names::status;

/// What kind of delete it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteKind {
    /// Its timeout had run out.
    Expired,
    /// Asked for through ctnetlink.
    Netlink,
    /// Neither: reset or reopened by its protocol, evicted, flushed by the kernel, …
    Early,
    /// It was dying already: somebody else's delete counts.
    DyingAlready,
}

impl DeleteKind {
    /// What the record of an `nf_ct_delete` says.
    pub fn of(record: &EntryRecord) -> Self {
        if record.status_before & status::DYING != 0 {
            Self::DyingAlready
        } else if record.portid != 0 {
            Self::Netlink
        } else if (record.timeout_before_jiffies.wrapping_sub(record.now_jiffies) as i32) <= 0 {
            Self::Expired
        } else {
            Self::Early
        }
    }

    /// The name in output and documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Netlink => "netlink",
            Self::Early => "early",
            Self::DyingAlready => "dying_already",
        }
    }
}

/// Whether an operation put an entry into the table.
pub fn inserted(record: &EntryRecord) -> bool {
    const NF_ACCEPT: i32 = 1;
    match EntryKind::from_byte(record.what) {
        Some(EntryKind::Confirm) => record.ret == NF_ACCEPT && record.flags & EntryFlags::OTHER_ENTRY == 0,
        Some(EntryKind::CheckInsert) => record.ret >= 0,
        _ => false,
    }
}

/// Whether `nf_ct_delete` took the entry out of the table.
pub fn deleted(record: &EntryRecord) -> bool {
    record.flags & EntryFlags::RETURNED == 0 || record.status_before & status::DYING == 0
}
