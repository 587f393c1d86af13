//! One direction of a flow.

use std::{fmt, net::IpAddr};

use rsct_common::TupleWords;

use crate::{names::proto, render::words};

/// One direction of a flow: protocol, addresses, and ports or what the protocol has in their place.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tuple(rsct_common::Tuple);

impl Tuple {
    pub(super) fn of(words: TupleWords) -> Self {
        Self(rsct_common::Tuple::from_words(words))
    }

    pub(super) fn new(tuple: rsct_common::Tuple) -> Self {
        Self(tuple)
    }

    /// None if no part is known.
    pub(super) fn known(words: TupleWords) -> Option<Self> {
        (words != TupleWords::default()).then(|| Self::of(words))
    }

    /// The source address.
    pub fn src(&self) -> IpAddr {
        self.0.src_addr()
    }

    /// The destination address.
    pub fn dst(&self) -> IpAddr {
        self.0.dst_addr()
    }

    /// The protocol's number.
    pub fn protocol(&self) -> u8 {
        self.0.protonum
    }

    /// The protocol's name, if conntrack has a handler for it.
    pub fn protocol_name(&self) -> Option<&'static str> {
        proto::name(self.0.protonum)
    }

    /// The source port, of protocols with ports.
    pub fn src_port(&self) -> Option<u16> {
        proto::has_ports(self.0.protonum).then(|| self.0.src_port())
    }

    /// The destination port, of protocols with ports.
    pub fn dst_port(&self) -> Option<u16> {
        proto::has_ports(self.0.protonum).then(|| self.0.dst_port())
    }

    /// Type, code and id, of ICMP and ICMPv6.
    pub fn icmp(&self) -> Option<(u8, u8, u16)> {
        let (kind, code) = self.0.icmp_type_code();
        proto::is_icmp(self.0.protonum).then(|| (kind, code, self.0.src_port()))
    }
}

/// Prints `udp 10.0.0.1:1 > 10.0.0.2:2`.
impl fmt::Display for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Vec::new();
        words::tuple(&mut text, &self.0);
        f.write_str(&String::from_utf8_lossy(&text))
    }
}

impl fmt::Debug for Tuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tuple({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tuple_has_ports_or_icmps_fields() {
        let mut tuple = rsct_common::Tuple {
            l3num: 2u16.to_ne_bytes(),
            src_l4: [0, 77],
            dst_l4: [8, 0],
            protonum: proto::ICMP,
            ..rsct_common::Tuple::default()
        };
        let echo = Tuple::new(tuple);
        assert_eq!((echo.icmp(), echo.src_port()), (Some((8, 0, 77)), None));
        assert_eq!(echo.to_string(), "icmp 0.0.0.0 > 0.0.0.0 type 8 code 0 id 77");
        tuple.protonum = proto::UDP;
        let udp = Tuple::new(tuple);
        assert_eq!(
            (udp.icmp(), udp.src_port(), udp.dst_port()),
            (None, Some(77), Some(2048))
        );
        assert_eq!(udp.to_string(), "udp 0.0.0.0:77 > 0.0.0.0:2048");
    }
}
