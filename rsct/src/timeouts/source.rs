//! Source of an entry's timeout.

use super::Governing;

/// The owner of the timeouts that govern a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setter<'a> {
    /// The namespace's defaults.
    Defaults,
    /// A policy. It has several names if several policies of the namespace have the same values, as the kernel does not
    /// identify it; it has none if it was changed or deleted before its name was read.
    Policy(&'a [String]),
    /// A `ct timeout` object of nftables, with its name or names.
    Nftables(&'a [String]),
    /// A policy, but the record that identifies it was lost.
    LostPolicy,
    /// It is fixed: packets do not refresh it.
    Fixed,
    /// It was set over netlink: more is left of it than any packet sets.
    Netlink,
    /// Not known: records were lost, and the entry's may be among them.
    Unknown,
}

/// Source of a timeout that a packet set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeoutSource<'a> {
    /// Its owner.
    pub setter: Setter<'a>,
    /// The owner's timeout that it is; `None` if none of them has the value of the entry.
    pub governing: Option<Governing>,
    /// The full value of that timeout, if it is known.
    pub value_ms: Option<u64>,
}

impl TimeoutSource<'_> {
    /// A source without further details.
    pub fn of(setter: Setter<'static>) -> Self {
        Self {
            setter,
            governing: None,
            value_ms: None,
        }
    }
}
