//! The entry filter of every command: plain data, which can also be passed to the eBPF programs and to ctnetlink.

mod details;
mod nat;
mod parse;
mod plan;
pub(crate) mod protocol;
mod state;
pub(crate) mod values;

use std::net::IpAddr;

use rsct_common::Tuple;

pub(crate) use details::{Details, HelperName, Status};
pub(crate) use nat::NatCondition;
pub(crate) use parse::FilterError;
pub use parse::Typed;
pub(crate) use plan::{Evaluator, Plan, PlannedCondition};
pub(crate) use state::StateSet;

use crate::{
    family::Family,
    names::proto,
    netlink::conntrack::{Entry, MaskedU32},
};

/// An address with a prefix length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix {
    /// The address; bits after the prefix are zero.
    pub addr: IpAddr,
    /// The prefix length.
    pub bits: u8,
}

impl Prefix {
    /// The address's family.
    pub fn family(&self) -> Family {
        match self.addr {
            IpAddr::V4(_) => Family::Ipv4,
            IpAddr::V6(_) => Family::Ipv6,
        }
    }

    /// Returns whether an address lies inside.
    pub fn contains(&self, addr: IpAddr) -> bool {
        match (self.addr, addr) {
            (IpAddr::V4(a), IpAddr::V4(b)) => {
                let differing = u32::from(a) ^ u32::from(b);
                differing.leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(a), IpAddr::V6(b)) => {
                let differing = u128::from(a) ^ u128::from(b);
                differing.leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }
}

/// A filter: an entry must match every condition that is present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// The address family; also set if an address implies it.
    pub family: Option<Family>,
    /// The IP protocol.
    pub proto: Option<u8>,
    /// Source of the original direction.
    pub src: Option<Prefix>,
    /// Destination of the original direction.
    pub dst: Option<Prefix>,
    /// Source of the reply direction.
    pub reply_src: Option<Prefix>,
    /// Destination of the reply direction.
    pub reply_dst: Option<Prefix>,
    /// Any of the four addresses.
    pub host: Option<Prefix>,
    /// Source port of the original direction.
    pub sport: Option<u16>,
    /// Destination port of the original direction.
    pub dport: Option<u16>,
    /// Any of the four ports.
    pub port: Option<u16>,
    /// The zone number, `ct->zone.id`, whether it applies to both directions or to one; 0 for none.
    pub zone: Option<u16>,
    /// The mark.
    pub mark: Option<MaskedU32>,
    /// Conditions on the entry that a packet cannot answer.
    pub details: Details,
}

impl Filter {
    /// Returns whether every entry matches.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns whether an entry matches.
    pub fn meets(&self, entry: &Entry<'_>) -> bool {
        let mark = entry.mark.unwrap_or(0);
        self.matches(&entry.orig, &entry.reply, entry.zone_number(), mark) && self.details.meet(entry)
    }

    /// Returns whether an entry's tuples, zone and mark match.
    pub fn matches(&self, orig: &Tuple, reply: &Tuple, zone: u16, mark: u32) -> bool {
        self.family.is_none_or(|family| orig.family() == family as u16)
            && self.proto.is_none_or(|proto| orig.protonum == proto)
            && self.zone.is_none_or(|wanted| zone == wanted)
            && self.mark.is_none_or(|wanted| mark & wanted.mask == wanted.value)
            && self.matches_ports(orig, reply)
            && self.matches_addresses(orig, reply)
    }

    fn matches_ports(&self, orig: &Tuple, reply: &Tuple) -> bool {
        if self.sport.is_none() && self.dport.is_none() && self.port.is_none() {
            return true;
        }
        // Other protocols store other values in the port fields.
        proto::has_ports(orig.protonum)
            && self.sport.is_none_or(|port| orig.src_port() == port)
            && self.dport.is_none_or(|port| orig.dst_port() == port)
            && self.port.is_none_or(|port| {
                [orig, reply]
                    .iter()
                    .any(|tuple| tuple.src_port() == port || tuple.dst_port() == port)
            })
    }

    fn matches_addresses(&self, orig: &Tuple, reply: &Tuple) -> bool {
        self.src.is_none_or(|prefix| prefix.contains(orig.src_addr()))
            && self.dst.is_none_or(|prefix| prefix.contains(orig.dst_addr()))
            && self
                .reply_src
                .is_none_or(|prefix| prefix.contains(reply.src_addr()))
            && self
                .reply_dst
                .is_none_or(|prefix| prefix.contains(reply.dst_addr()))
            && self.host.is_none_or(|prefix| {
                [orig, reply]
                    .iter()
                    .any(|tuple| prefix.contains(tuple.src_addr()) || prefix.contains(tuple.dst_addr()))
            })
    }
}

#[cfg(test)]
mod tests;
