//! The contents of a table, by source, service, state and zone.

use std::net::IpAddr;

use rsct_common::Tuple;

use crate::{flow::Flow, names::status, netlink::conntrack::Entry};

use super::top::Top;

/// The contents of a table.
#[derive(Debug, Default)]
pub(crate) struct Fill {
    /// The number of entries.
    pub entries: u64,
    /// Of those, unreplied entries.
    pub unreplied: u64,
    /// Of those, entries that early_drop cannot evict.
    pub assured: u64,
    /// By source address.
    pub sources: Top<IpAddr>,
    /// By service: protocol, destination address and port.
    pub services: Top<(u8, IpAddr, u16)>,
    /// By protocol and state.
    pub states: Top<(u8, u8)>,
    /// By zone.
    pub zones: Top<u16>,
}

impl Fill {
    /// Adds an entry.
    pub(crate) fn entry(&mut self, entry: &Entry<'_>) {
        let state = entry.protoinfo.as_ref().and_then(|info| info.state());
        self.add(
            &entry.orig,
            entry.status.unwrap_or(0),
            state.unwrap_or(0),
            entry.zone_number(),
        );
    }

    /// Adds an entry that is known from records and dumps.
    pub(crate) fn flow(&mut self, flow: &Flow) {
        self.add(&flow.orig_tuple(), flow.status, flow.state, flow.zone);
    }

    fn add(&mut self, orig: &Tuple, status: u32, state: u8, zone: u16) {
        let has = |bit| status & bit != 0;
        self.entries += 1;
        self.unreplied += u64::from(!has(status::SEEN_REPLY));
        self.assured += u64::from(has(status::ASSURED));
        self.sources.add(orig.src_addr());
        self.services
            .add((orig.protonum, orig.dst_addr(), orig.dst_port()));
        self.states.add((orig.protonum, state));
        self.zones.add(zone);
    }
}
