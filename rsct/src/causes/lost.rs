//! Which events did not reach who listens for them, and why.

use rsct_common::record::{lost, what};

use crate::kernel::text::Symbols;

use super::cause::{Trace, causes};

causes! {
    /// Why an event did not reach a listener.
    LostCause {
        Overrun "overrun"
            "the listener's buffer was full: the event is gone for good, and the listener is told ENOBUFS, but not which"
            "give it a larger buffer (`rsct watch --buffer-size`, NetlinkBufferSize and NetlinkBufferSizeMaxGrowth of conntrackd, net.core.rmem_max for those who don't force it), or have it ask for fewer events";
        Kept "kept"
            "the listener's buffer was full, and it asked for reliable delivery: the event will be told later, with the entry's next one or, of a dying entry, again and again until it is read"
            "entries stay in memory until then: let it read faster, or leave NetlinkEventsReliable of conntrackd, and with it NETLINK_BROADCAST_ERROR, off";
        NoMessage "no_message"
            "there was no memory for the message: no listener gets to know"
            "look at free memory; all listeners are told ENOBUFS";
        Unknown "unknown"
            "a code that this rsct does not know"
            "rsct and its programs are of different versions: please report it";
    }
}

impl LostCause {
    pub(super) fn of(trace: &Trace<'_>, _: &Symbols) -> Self {
        match trace.key.what {
            what::LOST_OVERRUN => Self::Overrun,
            what::LOST_DEFERRED => Self::Kept,
            what::LOST_NO_MESSAGE => Self::NoMessage,
            _ => Self::Unknown,
        }
    }
}

/// The name of an event's kind.
pub fn event(kind: u16) -> &'static str {
    match kind {
        lost::NEW => "NEW",
        lost::UPDATE => "UPDATE",
        lost::DESTROY => "DESTROY",
        _ => "unknown",
    }
}
