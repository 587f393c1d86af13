//! Where an entry's timeout comes from.

use super::Governing;

/// Whose timeouts govern a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setter<'a> {
    /// The namespace's defaults.
    Defaults,
    /// A policy. It has several names where several policies of the namespace say the same and the kernel doesn't tell
    /// which it is; it has none where it was changed or deleted before anyone could ask for its name.
    Policy(&'a [String]),
    /// A timeout of nftables' own, with its name or names.
    Nftables(&'a [String]),
    /// A policy, but the record that tells which was lost.
    LostPolicy,
    /// It is fixed: packets leave it as it is.
    Fixed,
    /// It was set over netlink: there is more of it than any packet gives.
    ByHand,
}

/// Where the timeout comes from that a packet gave its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source<'a> {
    /// Whose it is.
    pub setter: Setter<'a>,
    /// Which of their timeouts it is; `None` where none of them has the value that the entry was given.
    pub governing: Option<Governing>,
    /// The whole of that timeout, where it is known.
    pub value_ms: Option<u64>,
}

impl Source<'_> {
    /// One of which there is no more to say.
    pub fn of(setter: Setter<'static>) -> Self {
        Self {
            setter,
            governing: None,
            value_ms: None,
        }
    }
}
