//! The contents of a table, by source, service, state and zone.

use std::net::IpAddr;

use crate::{names::status, netlink::conntrack::Entry};

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
        let has = |bit| entry.status.unwrap_or(0) & bit != 0;
        self.entries += 1;
        self.unreplied += u64::from(!has(status::SEEN_REPLY));
        self.assured += u64::from(has(status::ASSURED));
        self.sources.add(entry.orig.src_addr());
        let port = entry.orig.dst_port();
        self.services
            .add((entry.orig.protonum, entry.orig.dst_addr(), port));
        let state = entry.protoinfo.as_ref().and_then(|info| info.state());
        self.states.add((entry.orig.protonum, state.unwrap_or(0)));
        self.zones.add(entry.zone_number());
    }
}
