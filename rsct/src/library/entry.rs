//! Entries of the kernel's table.

use std::time::Duration;

use crate::{names, netlink::conntrack};

use super::{Status, Tuple};

/// An entry of the kernel's table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    orig: Tuple,
    reply: Tuple,
    zone: u16,
    status: Status,
    state: Option<&'static str>,
    timeout: Option<Duration>,
    mark: u32,
    id: Option<u32>,
    /// Packets and bytes of the original direction, then of the reply direction.
    counters: [Option<(u64, u64)>; 2],
    helper: Option<String>,
}

impl Entry {
    pub(super) fn of(entry: &conntrack::Entry<'_>) -> Self {
        let state = entry.protoinfo.as_ref().and_then(|info| info.state());
        let counters = [entry.counters_orig, entry.counters_reply];
        Self {
            orig: Tuple::new(entry.orig),
            reply: Tuple::new(entry.reply),
            zone: entry.zone_number(),
            status: Status(entry.status.unwrap_or(0)),
            state: state.and_then(|state| names::state(entry.orig.protonum, state)),
            timeout: entry.timeout.map(|seconds| Duration::from_secs(seconds.into())),
            mark: entry.mark.unwrap_or(0),
            id: entry.id,
            counters: counters.map(|counters| counters.map(|counters| (counters.packets, counters.bytes))),
            helper: entry
                .helper
                .map(|helper| String::from_utf8_lossy(helper.name).into_owned()),
        }
    }

    /// The original direction.
    pub fn tuple(&self) -> Tuple {
        self.orig
    }

    /// The reply direction.
    pub fn reply_tuple(&self) -> Tuple {
        self.reply
    }

    /// The zone; 0 for none.
    pub fn zone(&self) -> u16 {
        self.zone
    }

    /// The status bits.
    pub fn status(&self) -> Status {
        self.status
    }

    /// The protocol's state, of protocols with states.
    pub fn state(&self) -> Option<&'static str> {
        self.state
    }

    /// The time left until it expires, in whole seconds; none for an entry without a timeout.
    pub fn timeout_left(&self) -> Option<Duration> {
        self.timeout
    }

    /// The mark.
    pub fn mark(&self) -> u32 {
        self.mark
    }

    /// A number that is unique among the entries that exist at one time.
    pub fn id(&self) -> Option<u32> {
        self.id
    }

    /// Packets and bytes of the original direction, if the namespace counts them (`nf_conntrack_acct`).
    pub fn counters(&self) -> Option<(u64, u64)> {
        self.counters[0]
    }

    /// Packets and bytes of the reply direction, if the namespace counts them.
    pub fn reply_counters(&self) -> Option<(u64, u64)> {
        self.counters[1]
    }

    /// The name of the helper, if there is one.
    pub fn helper(&self) -> Option<&str> {
        self.helper.as_deref()
    }
}
