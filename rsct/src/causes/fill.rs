//! Who fills a table.

use std::net::IpAddr;

use crate::{flow::names::status, netlink::conntrack::Entry};

use super::top::Top;

/// What a table is full of.
#[derive(Debug, Default)]
pub struct Fill {
    /// Entries that were read.
    pub entries: u64,
    /// Of those, the ones that nobody has replied to.
    pub unreplied: u64,
    /// Of those, the ones that can't be thrown out for others.
    pub assured: u64,
    /// By who began them.
    pub sources: Top<IpAddr>,
    /// By what they were for: protocol, address and port.
    pub services: Top<(u8, IpAddr, u16)>,
    /// By protocol and state.
    pub states: Top<(u8, u8)>,
    /// By zone.
    pub zones: Top<u16>,
}

impl Fill {
    /// Takes in an entry.
    pub fn entry(&mut self, entry: &Entry<'_>) {
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
