//! ICMP errors: what each type and code is called, and what to do about it.
//!
//! RFC 792, RFC 1812 and RFC 4443; include/uapi/linux/icmp.h and icmpv6.h.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rsct_common::record::{IcmpError, PacketRecord};

use crate::family::Family;

const AF_INET6: u8 = Family::Ipv6 as u8;

/// An ICMP error about a packet of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Error {
    family: u8,
    header: IcmpError,
}

/// What an error says, whatever its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
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
    /// The error that a record's packet is.
    pub fn of(record: &PacketRecord) -> Option<Self> {
        Some(Self {
            family: record.family,
            header: record.icmp_error()?,
        })
    }

    /// The type.
    pub fn kind(&self) -> u8 {
        self.header.kind
    }

    /// The code.
    pub fn code(&self) -> u8 {
        self.header.code
    }

    /// The host that sent it.
    pub fn from(&self) -> IpAddr {
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
    pub fn is_redirect(&self) -> bool {
        self.says() == Says::Redirect
    }

    /// The name of its type and code.
    pub fn name(&self) -> &'static str {
        self.named().0
    }

    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self.says() {
            Says::Port => {
                "start the service on that port, or look for a REJECT rule (its default is port_unreachable)"
            }
            Says::Protocol => "the peer does not speak that protocol: check the address and the protocol",
            Says::Host => {
                "the sender of the error does not reach the peer: check whether the peer is up and answers ARP or \
                 neighbour discovery there"
            }
            Says::Net => "the sender of the error has no route to the peer: check its routing table",
            Says::Prohibited => "a rule at the sender of the error rejects the packets: check its firewall",
            Says::TooBig => {
                "the packets do not fit the path's MTU: lower the MTU or clamp the MSS, and let these errors reach the \
                 sender"
            }
            Says::TimeExceeded => {
                "the packets run out of hops at the sender of the error: look for a routing loop, or raise the TTL"
            }
            Says::Reassembly => "fragments get lost on their way: avoid fragmentation (lower the MTU)",
            Says::Redirect => "nothing: the packet was forwarded, and a shorter route is offered",
            Says::Other => "look at the packets that the error quotes, at the sender of the error",
        }
    }

    fn says(&self) -> Says {
        self.named().1
    }

    fn named(&self) -> (&'static str, Says) {
        let IcmpError { kind, code, .. } = self.header;
        if self.family == AF_INET6 {
            return match (kind, code) {
                (1, 0) => ("no_route", Says::Net),
                (1, 1) => ("admin_prohibited", Says::Prohibited),
                (1, 2) => ("beyond_scope", Says::Net),
                (1, 3) => ("address_unreachable", Says::Host),
                (1, 4) => ("port_unreachable", Says::Port),
                (1, 5) => ("source_policy_failed", Says::Prohibited),
                (1, 6) => ("reject_route", Says::Prohibited),
                (1, _) => ("destination_unreachable", Says::Other),
                (2, _) => ("packet_too_big", Says::TooBig),
                (3, 1) => ("reassembly_time_exceeded", Says::Reassembly),
                (3, _) => ("hop_limit_exceeded", Says::TimeExceeded),
                (4, _) => ("parameter_problem", Says::Other),
                _ => ("other", Says::Other),
            };
        }
        match (kind, code) {
            (3, 0 | 6 | 11) => ("net_unreachable", Says::Net),
            (3, 1 | 7 | 8 | 12) => ("host_unreachable", Says::Host),
            (3, 2) => ("protocol_unreachable", Says::Protocol),
            (3, 3) => ("port_unreachable", Says::Port),
            (3, 4) => ("fragmentation_needed", Says::TooBig),
            (3, 5) => ("source_route_failed", Says::Net),
            (3, 9) => ("net_prohibited", Says::Prohibited),
            (3, 10) => ("host_prohibited", Says::Prohibited),
            (3, 13..=15) => ("admin_prohibited", Says::Prohibited),
            (3, _) => ("destination_unreachable", Says::Other),
            (4, _) => ("source_quench", Says::Other),
            (5, _) => ("redirect", Says::Redirect),
            (11, 1) => ("reassembly_time_exceeded", Says::Reassembly),
            (11, _) => ("ttl_exceeded", Says::TimeExceeded),
            (12, _) => ("parameter_problem", Says::Other),
            _ => ("other", Says::Other),
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
