//! Numbers of records.

/// Numbers of records, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Records of packets.
    pub packets: u64,
    /// Of these, packets that conntrack found INVALID.
    pub invalid: u64,
    /// Of these, packets that conntrack dropped.
    pub dropped: u64,
    /// Records of entries.
    pub entries: u64,
    /// Entries that were confirmed, or created by user space.
    pub inserted: u64,
    /// Deleted entries.
    pub deleted: u64,
    /// Packets recorded without their cost or their previous state.
    pub incomplete: u64,
}
