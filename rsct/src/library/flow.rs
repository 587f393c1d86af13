//! Flows.

use std::time::Duration;

use crate::{flow, names};

use super::{Status, Tuple};

/// A flow, joined from records and dumps, as it was after the last observation of it.
#[derive(Clone, Copy, Debug)]
pub struct Flow<'a>(pub(super) &'a flow::Flow);

impl Flow<'_> {
    /// A number of rsct's own, never reused in a trace: the kernel reuses addresses and tuples of entries.
    pub fn number(&self) -> u64 {
        self.0.number
    }

    /// Inode number of the network namespace.
    pub fn netns(&self) -> u32 {
        self.0.netns
    }

    /// The zone; 0 for none.
    pub fn zone(&self) -> u16 {
        self.0.zone
    }

    /// The original direction.
    pub fn tuple(&self) -> Tuple {
        Tuple::new(self.0.orig_tuple())
    }

    /// The reply direction, once it is known.
    pub fn reply_tuple(&self) -> Option<Tuple> {
        self.0.reply_tuple().map(Tuple::new)
    }

    /// The status bits.
    pub fn status(&self) -> Status {
        Status(self.0.status)
    }

    /// The protocol's state, of protocols with states.
    pub fn state(&self) -> Option<&'static str> {
        names::state(self.0.orig_tuple().protonum, self.0.state)
    }

    /// The mark.
    pub fn mark(&self) -> u32 {
        self.0.mark
    }

    /// When it expires, by the monotonic clock; none while it is not in the table.
    pub fn expires(&self) -> Option<Duration> {
        self.0.expires_ns.map(Duration::from_nanos)
    }

    /// True if a dump had it.
    pub fn is_from_dump(&self) -> bool {
        self.0.from_dump
    }
}
