//! A timeout policy comes to govern a flow, or ends.

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// How many values the kernel keeps for the protocol with the most, TCP (`TCP_CONNTRACK_TIMEOUT_MAX`).
pub const POLICY_VALUES: usize = 14;

/// Which policy a flow's timeout extension points to, and what the policy says.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
pub struct PolicyRecord {
    /// [`super::kind::POLICY`].
    pub kind: u8,
    /// [`PolicyEvent`].
    pub what: u8,
    /// The address family that it is for.
    pub l3num: u16,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Monotonic time.
    pub time_ns: u64,
    /// The entry's address.
    pub ct: u64,
    /// When the entry was allocated or first seen; with [`Self::ct`] this names the flow.
    pub birth_ns: u64,
    /// The policy's address (`struct nf_ct_timeout`); for one that ends zero means all of the namespace.
    pub policy: u64,
    /// The protocol that it is for.
    pub l4proto: u8,
    /// Zero.
    pub reserved: [u8; 7],
    /// What the policy says, in jiffies, in the order in which the protocol's handler keeps them. Of these, as many as
    /// the protocol has count.
    pub values: [u32; POLICY_VALUES],
}

const _: () = assert!(size_of::<PolicyRecord>() == 104);

/// What a [`PolicyRecord`] tells.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyEvent {
    /// It governs the flow.
    Governs = 1,
    /// `nf_ct_untimeout`: it is deleted, and governs none from now on.
    Ended = 2,
}

impl PolicyEvent {
    /// Reads the byte of a record.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Governs),
            2 => Some(Self::Ended),
            _ => None,
        }
    }
}
