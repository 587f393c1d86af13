//! Changes of the stream of observations.

use crate::observe;

/// A change of the stream of observations itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// All hooks are attached, and the entries of the table are known: every later packet and event is observed.
    Started {
        /// The number of entries in the table.
        flows: usize,
    },
    /// The hooks that report causes are attached: every later cause is observed.
    Causes,
    /// Causes will not be observed.
    NoCauses,
    /// Records of packets and events were lost.
    Lost {
        /// The number since the last such notice.
        records: u64,
        /// The number since the beginning.
        total: u64,
    },
    /// Records of causes were lost.
    CausesLost {
        /// The number since the beginning.
        total: u64,
    },
    /// Packets and events may be missing that no counter shows.
    Doubt {
        /// The reason.
        reason: String,
    },
}

impl Notice {
    /// None for a notice that changes nothing.
    pub(super) fn of(notice: &observe::Notice) -> Option<Self> {
        Some(match notice {
            observe::Notice::Started { flows_from_dump, .. } => Self::Started {
                flows: *flows_from_dump,
            },
            observe::Notice::Causes { .. } => Self::Causes,
            observe::Notice::NoCauses => Self::NoCauses,
            observe::Notice::Loss { lost, total, .. } => Self::Lost {
                records: *lost,
                total: *total,
            },
            observe::Notice::CausesLost { total } => Self::CausesLost { total: *total },
            observe::Notice::Programs { reason, .. } => Self::Doubt {
                reason: reason.clone()?,
            },
            observe::Notice::Unfired { unfired, .. } => Self::Doubt {
                reason: unfired.to_string(),
            },
        })
    }
}
