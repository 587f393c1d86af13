//! Whether, and to what, an entry's addresses and ports are translated.

use rsct_common::Tuple;

use super::{Details, Prefix};
use crate::flow::names::{proto, status};

/// Which end of the original direction is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The source: what the replies go to is not where the connection came from.
    Source,
    /// The destination: what answers is not what was asked.
    Destination,
}

/// What is asked of one end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Translation {
    /// The address after translation; it has to differ from the one before.
    pub addr: Option<Prefix>,
    /// The port after translation, likewise.
    pub port: Option<u16>,
}

/// Which translations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatCondition {
    /// Of the ends for which there is something, all.
    All {
        /// The source's.
        source: Option<Translation>,
        /// The destination's.
        destination: Option<Translation>,
    },
    /// Of either end.
    Any(Translation),
}

impl NatCondition {
    /// Whether an entry is translated so.
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
    /// What the source is to be translated to.
    pub(super) fn source_nat_address(&self) -> Option<Prefix> {
        match self.nat {
            Some(NatCondition::All { source, .. }) => source?.addr,
            _ => None,
        }
    }

    /// What the destination is to be translated to.
    pub(super) fn destination_nat_address(&self) -> Option<Prefix> {
        match self.nat {
            Some(NatCondition::All { destination, .. }) => destination?.addr,
            _ => None,
        }
    }

    /// What either end is to be translated to.
    pub(super) fn any_nat_address(&self) -> Option<Prefix> {
        match self.nat {
            Some(NatCondition::Any(wanted)) => wanted.addr,
            _ => None,
        }
    }
}
