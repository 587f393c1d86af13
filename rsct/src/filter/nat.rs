//! Conditions on NAT of addresses and ports.

use rsct_common::Tuple;

use super::{Details, Prefix};
use crate::names::{proto, status};

/// The translated end of the original direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Source NAT: the reply's destination differs from the original source.
    Source,
    /// Destination NAT: the reply's source differs from the original destination.
    Destination,
}

/// Condition on one end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Translation {
    /// The address after NAT; it must differ from the original one.
    pub addr: Option<Prefix>,
    /// The port after NAT; it must differ from the original one.
    pub port: Option<u16>,
}

/// A NAT condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatCondition {
    /// Every given end must match.
    All {
        /// Source NAT.
        source: Option<Translation>,
        /// Destination NAT.
        destination: Option<Translation>,
    },
    /// Either end must match.
    Any(Translation),
}

impl NatCondition {
    /// Returns whether an entry matches.
    pub fn holds(&self, orig: &Tuple, reply: &Tuple, status: u32) -> bool {
        let holds = |wanted: &Translation, end| wanted.holds(orig, reply, status, end);
        match self {
            Self::All { source, destination } => {
                source.as_ref().is_none_or(|wanted| holds(wanted, End::Source))
                    && destination
                        .as_ref()
                        .is_none_or(|wanted| holds(wanted, End::Destination))
            }
            Self::Any(wanted) => holds(wanted, End::Source) || holds(wanted, End::Destination),
        }
    }
}

impl Translation {
    fn holds(&self, orig: &Tuple, reply: &Tuple, status: u32, end: End) -> bool {
        let (done, before, after, port_before, port_after) = match end {
            End::Source => (
                status::SRC_NAT_DONE,
                orig.src_addr(),
                reply.dst_addr(),
                orig.src_port(),
                reply.dst_port(),
            ),
            End::Destination => (
                status::DST_NAT_DONE,
                orig.dst_addr(),
                reply.src_addr(),
                orig.dst_port(),
                reply.src_port(),
            ),
        };
        let has_ports = proto::has_ports(orig.protonum);
        let (addr_differs, port_differs) = (before != after, has_ports && port_before != port_after);
        status & done != 0
            && match (self.addr, self.port) {
                (None, None) => addr_differs || port_differs,
                (addr, port) => {
                    addr.is_none_or(|prefix| addr_differs && prefix.contains(after))
                        && port.is_none_or(|port| port_differs && port_after == port)
                }
            }
    }
}

impl Details {
    /// The required address after source NAT.
    pub(super) fn source_nat_address(&self) -> Option<Prefix> {
        match self.nat {
            Some(NatCondition::All { source, .. }) => source?.addr,
            _ => None,
        }
    }

    /// The required address after destination NAT.
    pub(super) fn destination_nat_address(&self) -> Option<Prefix> {
        match self.nat {
            Some(NatCondition::All { destination, .. }) => destination?.addr,
            _ => None,
        }
    }

    /// The required address after NAT of either end.
    pub(super) fn any_nat_address(&self) -> Option<Prefix> {
        match self.nat {
            Some(NatCondition::Any(wanted)) => wanted.addr,
            _ => None,
        }
    }
}
