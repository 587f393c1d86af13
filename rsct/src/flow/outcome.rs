//! Outcome of a packet's traversal of `nf_conntrack_in`.

use rsct_common::record::{PacketFlags, PacketRecord};

use crate::names::{status, verdict};

/// How conntrack handled a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// A rule exempted it from tracking.
    Untracked,
    /// It had its entry already: loopback, or a second traversal. Conntrack did nothing.
    TrackedAlready,
    /// Conntrack found it INVALID and accepted it without an entry.
    Invalid,
    /// Conntrack dropped it.
    Dropped,
    /// It has an entry that is not in the table yet.
    Created,
    /// It belongs to an entry of the table.
    Tracked,
}

impl Outcome {
    /// Reads a packet's record.
    pub(crate) fn of(record: &PacketRecord) -> Self {
        if record.flags & PacketFlags::SEEN_ALREADY != 0 {
            Self::TrackedAlready
        } else if record.flags & PacketFlags::UNTRACKED != 0 {
            Self::Untracked
        } else if record.flags & PacketFlags::AFTER == 0 {
            if u32::from(record.verdict) == verdict::ACCEPT {
                Self::Invalid
            } else {
                Self::Dropped
            }
        } else if record.status_after & status::CONFIRMED == 0 {
            Self::Created
        } else {
            Self::Tracked
        }
    }

    /// The name in output and documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Untracked => "untracked",
            Self::TrackedAlready => "tracked_already",
            Self::Invalid => "invalid",
            Self::Dropped => "dropped",
            Self::Created => "created",
            Self::Tracked => "tracked",
        }
    }
}
