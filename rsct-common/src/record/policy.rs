//! A timeout policy starts to govern a flow, or ends.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The number of values of TCP, the protocol with the most (`TCP_CONNTRACK_TIMEOUT_MAX`).
pub const POLICY_VALUES: usize = 14;

/// The policy of a flow's timeout extension, and its values.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct PolicyRecord {
    /// [`super::kind::POLICY`].
    pub kind: u8,
    /// [`PolicyEvent`].
    pub what: u8,
    /// Its address family.
    pub l3num: u16,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Monotonic time.
    pub time_ns: u64,
    /// The entry's address.
    pub ct: u64,
    /// When the entry was allocated or first seen; with [`Self::ct`] this names the flow.
    pub birth_ns: u64,
    /// The policy's address (`struct nf_ct_timeout`); if it ends, zero stands for all policies of the namespace.
    pub policy: u64,
    /// Its protocol.
    pub l4proto: u8,
    /// Zero.
    pub reserved: [u8; 7],
    /// The policy's values in jiffies, in the order of the protocol's handler. Only as many as the protocol has are
    /// valid.
    pub values: [u32; POLICY_VALUES],
}

const _: () = assert!(size_of::<PolicyRecord>() == 104);

/// The event of a [`PolicyRecord`].
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyEvent {
    /// It governs the flow.
    Governs = 1,
    /// `nf_ct_untimeout`: it is deleted, and governs no flow from now on.
    Ended = 2,
}

impl PolicyEvent {
    /// Converts the byte in a record.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Governs),
            2 => Some(Self::Ended),
            _ => None,
        }
    }
}
