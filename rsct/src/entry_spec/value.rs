//! Parsers of single values.

use std::net::IpAddr;

use rsct_common::Tuple;

pub(super) use crate::filter::values::{family, number};
use crate::{
    family::Family,
    filter::protocol,
    names::{self, proto, status},
    netlink::conntrack::Nat,
};

/// The protocols that have states, in the order of [`states`].
pub(super) const WITH_STATES: [u8; 3] = [proto::TCP, proto::SCTP, proto::DCCP];
/// Number of named states in each of them.
pub(super) const STATES: u8 = 10;

pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

/// The number of the state with this name in each protocol that has states; `None` if no protocol has it.
pub(super) fn states(text: &str) -> Option<[Option<u8>; 3]> {
    let states = WITH_STATES.map(|protonum| {
        (0..STATES)
            .find(|state| names::state(protonum, *state).is_some_and(|name| name.eq_ignore_ascii_case(text)))
    });
    (states != [None; 3]).then_some(states)
}

/// Status bits by the kernel's names; `UNSET` for no bit.
pub(super) fn status(text: &str) -> Option<u32> {
    const SETTABLE: [(&str, u32); 5] = [
        ("SEEN_REPLY", status::SEEN_REPLY),
        ("ASSURED", status::ASSURED),
        ("FIXED_TIMEOUT", status::FIXED_TIMEOUT),
        ("EXPECTED", status::EXPECTED),
        ("UNSET", 0),
    ];
    let mut bits = 0;
    for word in text.split(',') {
        let same = |(name, _): &&(&str, u32)| name.eq_ignore_ascii_case(word);
        bits |= SETTABLE.iter().find(same)?.1;
    }
    Some(bits)
}

/// A value and the optional mask after it.
pub(super) fn masked(text: &str) -> Option<(u32, Option<u32>)> {
    match text.split_once('/') {
        Some((value, mask)) => Some((number(value)?, Some(number(mask)?))),
        None => Some((number(text)?, None)),
    }
}

/// The translation of one end: `ADDR`, `ADDR:PORT`, `[V6]:PORT`, `:PORT`, or ranges of either with `-`.
pub(super) fn nat(text: &str) -> Option<Nat> {
    let (addresses, ports) = if let Some(rest) = text.strip_prefix('[') {
        let (addresses, rest) = rest.split_once(']')?;
        let ports = match rest {
            "" => None,
            rest => Some(rest.strip_prefix(':')?),
        };
        (addresses, ports)
    } else {
        match text.split_once(':') {
            // More than one colon: an IPv6 address.
            Some((addresses, ports)) if !ports.contains(':') => (addresses, Some(ports)),
            _ => (text, None),
        }
    };
    let (addr_min, addr_max) = match addresses {
        "" => (None, None),
        addresses => range(addresses, address)?,
    };
    let (port_min, port_max) = match ports {
        None => (None, None),
        Some(ports) => range(ports, number)?,
    };
    let one_family = match (addr_min, addr_max) {
        (Some(min), Some(max)) => min.is_ipv4() == max.is_ipv4(),
        _ => true,
    };
    (one_family && (addr_min.is_some() || port_min.is_some())).then_some(Nat {
        addr_min,
        addr_max,
        port_min,
        port_max,
    })
}

fn range<T: PartialOrd>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Option<(Option<T>, Option<T>)> {
    let Some((min, max)) = text.split_once('-') else {
        return Some((Some(parse(text)?), None));
    };
    let (min, max) = (parse(min)?, parse(max)?);
    (min <= max).then_some((Some(min), Some(max)))
}

/// A master's original tuple: `PROTO,SRC,DST` and, where the protocol has ports, `,SPORT,DPORT`.
pub(super) fn master(text: &str) -> Option<Tuple> {
    let mut words = text.split(',');
    let protonum = protocol::parse(words.next()?)?;
    let (src, dst) = (address(words.next()?)?, address(words.next()?)?);
    let mut tuple = Tuple {
        protonum,
        ..Tuple::default()
    };
    if proto::has_ports(protonum) {
        tuple.src_l4 = number::<u16>(words.next()?)?.to_be_bytes();
        tuple.dst_l4 = number::<u16>(words.next()?)?.to_be_bytes();
    }
    put_addresses(&mut tuple, src, dst)?;
    words.next().is_none().then_some(tuple)
}

/// Sets two addresses; fails if their families differ.
pub(super) fn put_addresses(tuple: &mut Tuple, src: IpAddr, dst: IpAddr) -> Option<()> {
    let family = match (src, dst) {
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            tuple.src[..4].copy_from_slice(&src.octets());
            tuple.dst[..4].copy_from_slice(&dst.octets());
            Family::Ipv4
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            (tuple.src, tuple.dst) = (src.octets(), dst.octets());
            Family::Ipv6
        }
        _ => return None,
    };
    tuple.l3num = u16::from(family as u8).to_ne_bytes();
    Some(())
}
