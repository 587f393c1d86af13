//! ICMP errors: the name of each type and code, and the advice for it.
//!
//! RFC 792, RFC 1812 and RFC 4443; include/uapi/linux/icmp.h and icmpv6.h.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rsct_common::record::{IcmpError, PacketRecord};

use crate::family::Family;

const AF_INET6: u8 = Family::Ipv6 as u8;

/// An ICMP error about a packet of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Error {
    family: u8,
    header: IcmpError,
}

/// Meaning of an error, whatever its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Meaning {
    Port,
    Protocol,
    Host,
    Net,
    Prohibited,
    TooBig,
    TimeExceeded,
    Reassembly,
    Redirect,
    Other,
}

impl Error {
    /// The ICMP error in a record, if its packet is one.
    pub(crate) fn of(record: &PacketRecord) -> Option<Self> {
        Some(Self {
            family: record.family,
            header: record.icmp_error()?,
        })
    }

    /// The type.
    pub(crate) fn kind(&self) -> u8 {
        self.header.kind
    }

    /// The code.
    pub(crate) fn code(&self) -> u8 {
        self.header.code
    }

    /// The host that sent it.
    pub(crate) fn from(&self) -> IpAddr {
        let mut bytes = [0; 16];
        for (to, word) in bytes.as_chunks_mut().0.iter_mut().zip(self.header.from) {
            *to = word.to_ne_bytes();
        }
        match bytes {
            [a, b, c, d, ..] if self.family != AF_INET6 => Ipv4Addr::new(a, b, c, d).into(),
            bytes => Ipv6Addr::from(bytes).into(),
        }
    }

    /// A redirect: the packet was forwarded all the same.
    pub(crate) fn is_redirect(&self) -> bool {
        self.meaning() == Meaning::Redirect
    }

    /// The name of its type and code.
    pub(crate) fn name(&self) -> &'static str {
        self.named().0
    }

    /// Advice for the reader.
    pub(crate) fn advice(&self) -> &'static str {
        match self.meaning() {
            Meaning::Port => {
                "start the service on that port, or look for a REJECT rule (its default is port_unreachable)"
            }
            Meaning::Protocol => {
                "the peer does not support that protocol: check the address and the protocol"
            }
            Meaning::Host => {
                "the sender of the error does not reach the peer: check there whether the peer is up and answers ARP or \
                 neighbour discovery"
            }
            Meaning::Net => "the sender of the error has no route to the peer: check its routing table",
            Meaning::Prohibited => {
                "a rule at the sender of the error rejects the packets: check its firewall"
            }
            Meaning::TooBig => {
                "the packets do not fit the path's MTU: lower the MTU or clamp the MSS, and let these errors reach the \
                 sender"
            }
            Meaning::TimeExceeded => {
                "the packets run out of hops at the sender of the error: look for a routing loop, or raise the TTL"
            }
            Meaning::Reassembly => "fragments are lost on the path: avoid fragmentation (lower the MTU)",
            Meaning::Redirect => "nothing: the packet was forwarded, and the error names a shorter route",
            Meaning::Other => "capture the error (tcpdump) and look at the packet that it quotes",
        }
    }

    fn meaning(&self) -> Meaning {
        self.named().1
    }

    fn named(&self) -> (&'static str, Meaning) {
        let IcmpError { kind, code, .. } = self.header;
        if self.family == AF_INET6 {
            return match (kind, code) {
                (1, 0) => ("no_route", Meaning::Net),
                (1, 1) => ("admin_prohibited", Meaning::Prohibited),
                (1, 2) => ("beyond_scope", Meaning::Net),
                (1, 3) => ("address_unreachable", Meaning::Host),
                (1, 4) => ("port_unreachable", Meaning::Port),
                (1, 5) => ("source_policy_failed", Meaning::Prohibited),
                (1, 6) => ("reject_route", Meaning::Prohibited),
                (1, _) => ("destination_unreachable", Meaning::Other),
                (2, _) => ("packet_too_big", Meaning::TooBig),
                (3, 1) => ("reassembly_time_exceeded", Meaning::Reassembly),
                (3, _) => ("hop_limit_exceeded", Meaning::TimeExceeded),
                (4, _) => ("parameter_problem", Meaning::Other),
                _ => ("other", Meaning::Other),
            };
        }
        match (kind, code) {
            (3, 0 | 6 | 11) => ("net_unreachable", Meaning::Net),
            (3, 1 | 7 | 8 | 12) => ("host_unreachable", Meaning::Host),
            (3, 2) => ("protocol_unreachable", Meaning::Protocol),
            (3, 3) => ("port_unreachable", Meaning::Port),
            (3, 4) => ("fragmentation_needed", Meaning::TooBig),
            (3, 5) => ("source_route_failed", Meaning::Net),
            (3, 9) => ("net_prohibited", Meaning::Prohibited),
            (3, 10) => ("host_prohibited", Meaning::Prohibited),
            (3, 13..=15) => ("admin_prohibited", Meaning::Prohibited),
            (3, _) => ("destination_unreachable", Meaning::Other),
            (4, _) => ("source_quench", Meaning::Other),
            (5, _) => ("redirect", Meaning::Redirect),
            (11, 1) => ("reassembly_time_exceeded", Meaning::Reassembly),
            (11, _) => ("ttl_exceeded", Meaning::TimeExceeded),
            (12, _) => ("parameter_problem", Meaning::Other),
            _ => ("other", Meaning::Other),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An error of IPv4 from 10.0.0.9.
    pub(crate) fn error(kind: u8, code: u8) -> IcmpError {
        IcmpError {
            kind,
            code,
            from: [u32::from_ne_bytes([10, 0, 0, 9]), 0, 0, 0],
        }
    }

    #[test]
    fn each_kind_has_its_name_its_sender_and_its_advice() {
        for (family, kind, code, name, advice) in [
            (2, 3, 3, "port_unreachable", "start the service"),
            (2, 3, 1, "host_unreachable", "does not reach the peer"),
            (2, 3, 0, "net_unreachable", "no route"),
            (2, 3, 13, "admin_prohibited", "firewall"),
            (2, 3, 4, "fragmentation_needed", "MTU"),
            (2, 11, 0, "ttl_exceeded", "hops"),
            (2, 5, 1, "redirect", "nothing"),
            (10, 1, 4, "port_unreachable", "start the service"),
            (10, 2, 0, "packet_too_big", "MTU"),
            (10, 3, 0, "hop_limit_exceeded", "hops"),
            (2, 99, 0, "other", "quotes"),
        ] {
            let mut record = PacketRecord {
                family,
                ..PacketRecord::default()
            };
            record.set_icmp_error(error(kind, code));
            let error = Error::of(&record).unwrap();
            assert_eq!((error.name(), error.kind(), error.code()), (name, kind, code));
            assert!(error.advice().contains(advice), "{name}: {}", error.advice());
            assert_eq!(error.is_redirect(), name == "redirect");
            if family == 2 {
                assert_eq!(error.from().to_string(), "10.0.0.9");
            }
        }
    }
}
