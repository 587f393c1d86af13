//! Facts about an expectation that its formats share.

use crate::{kernel::netns::NetnsName, netlink::expect::EventKind};

/// Facts about an expectation that it does not contain.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    /// Its network namespace, if that is printed.
    pub netns: Option<&'a NetnsName>,
    /// The width of the namespace's column, if lines have one.
    pub column: Option<usize>,
    /// The event.
    pub happened: Option<Happened>,
}

/// An event of an expectation. The time is that of reading: the kernel sends none.
#[derive(Clone, Copy, Debug)]
pub struct Happened {
    /// Its kind.
    pub kind: EventKind,
    /// Nanoseconds since the epoch.
    pub received_ns: u64,
    /// The netlink port that requested it; 0 if a packet or a timeout caused it.
    pub portid: u32,
}
