//! Events that did not reach a listener.

use rsct_common::record::{lost, what};

use crate::kernel::text::Symbols;

use super::family::{Evidence, causes};

causes! {
    /// Why an event did not reach a listener.
    LostCause {
        Overrun "overrun"
            "the listener's receive buffer was full: the event is lost, and the listener gets ENOBUFS"
            "enlarge the buffer (`rsct watch --buffer-size`; NetlinkBufferSize and NetlinkBufferSizeMaxGrowth of conntrackd; net.core.rmem_max for listeners without SO_RCVBUFFORCE), or subscribe to fewer events";
        Deferred "deferred"
            "the listener's receive buffer was full, and it requested reliable delivery: the kernel sends the event later, with the entry's next event, or repeatedly if the entry is dying"
            "speed up the listener, or set NetlinkEventsReliable of conntrackd to off (it sets NETLINK_BROADCAST_ERROR): deferred entries stay in memory";
        NoMessage "no_message"
            "the kernel had no memory for the message: no listener receives the event, and all get ENOBUFS"
            "check free memory in /proc/meminfo";
        Unknown "unknown"
            "the eBPF programs reported a code that this rsct does not know"
            "report a bug: rsct and its eBPF programs are of different versions";
    }
}

impl LostCause {
    pub(super) fn of(evidence: &Evidence<'_>, _: &Symbols) -> Self {
        match evidence.key.what {
            what::LOST_OVERRUN => Self::Overrun,
            what::LOST_DEFERRED => Self::Deferred,
            what::LOST_NO_MESSAGE => Self::NoMessage,
            _ => Self::Unknown,
        }
    }
}

/// Returns the name of a kind of event.
pub(crate) fn event(kind: u16) -> &'static str {
    match kind {
        lost::NEW => "NEW",
        lost::UPDATE => "UPDATE",
        lost::DESTROY => "DESTROY",
        _ => "unknown",
    }
}
