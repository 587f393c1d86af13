//! Kind of a delete, read from its record. Its cause is in `crate::causes`.

use rsct_common::record::{EntryFlags, EntryRecord};

use crate::{kernel::hz::Jiffies32, names::status};

/// How an entry was deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeleteKind {
    /// Its timeout had expired.
    Expired,
    /// A ctnetlink request deleted it.
    Netlink,
    /// Neither: reset or reopened by its protocol, evicted, flushed by the kernel, …
    Early,
    /// It was dying already: another delete took it out of the table.
    DyingAlready,
}

impl DeleteKind {
    /// Reads the record of an `nf_ct_delete`.
    pub(crate) fn of(record: &EntryRecord) -> Self {
        let expires = Jiffies32(record.timeout_before_jiffies);
        if record.status_before & status::DYING != 0 {
            Self::DyingAlready
        } else if record.portid != 0 {
            Self::Netlink
        } else if expires.since(Jiffies32(record.now_jiffies)) <= 0 {
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

/// Returns whether `nf_ct_delete` took the entry out of the table.
pub(crate) fn deleted(record: &EntryRecord) -> bool {
    record.flags & EntryFlags::RETURNED == 0 || record.status_before & status::DYING == 0
}
