//! One direction of an entry, decoded into the kernel's own layout.

use rsct_common::Tuple;

use super::attribute::*;
use crate::{
    family::Family,
    names::proto,
    netlink::{
        attr::{Attr, AttrError, Attrs},
        emit::Emitter,
    },
};

/// A set of tuple parts (`CTA_FILTER_F_*` in net/netfilter/nf_internals.h, which is not exported to user
/// space).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TupleParts(u32);

impl TupleParts {
    /// No parts.
    pub const NONE: Self = Self(0);
    /// All parts.
    pub const ALL: Self = Self(u32::MAX);
    /// The source address.
    pub const SRC: Self = Self(1 << 0);
    /// The destination address.
    pub const DST: Self = Self(1 << 1);
    /// The protocol number.
    pub const PROTO: Self = Self(1 << 3);
    /// The source port, or an ICMP id.
    pub const SRC_L4: Self = Self(1 << 4);
    /// The destination port, or an ICMP type and code.
    pub const DST_L4: Self = Self(1 << 5);

    /// Returns whether the set contains `part`.
    pub fn has(self, part: Self) -> bool {
        self.0 & part.0 == part.0
    }

    /// Returns the set with `part` added.
    #[must_use]
    pub fn with(self, part: Self) -> Self {
        Self(self.0 | part.0)
    }

    /// The parts as `CTA_FILTER_F_*` bits.
    pub(super) fn bits(self) -> u32 {
        self.0
    }

    /// Returns whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// Parses a `CTA_TUPLE_*` attribute: the tuple, and the direction's own zone if it has one.
#[inline]
pub(in crate::netlink) fn parse(attr: Attr<'_>, dir: u8) -> Result<(Tuple, Option<u16>), AttrError> {
    let mut tuple = Tuple {
        dir,
        ..Tuple::default()
    };
    let mut zone = None;
    for attr in attr.nested() {
        let attr = attr?;
        match attr.kind {
            CTA_TUPLE_IP => addresses(attr.nested(), &mut tuple)?,
            CTA_TUPLE_PROTO => protocol(attr.nested(), &mut tuple)?,
            CTA_TUPLE_ZONE => zone = Some(attr.be16()?),
            _ => {}
        }
    }
    Ok((tuple, zone))
}

/// Writes a tuple as a `CTA_TUPLE_*` attribute, in the format that the kernel accepts, and the direction's
/// own zone if it has one.
pub(in crate::netlink) fn emit(out: &mut Emitter<'_>, kind: u16, tuple: &Tuple, zone: Option<u16>) {
    emit_parts(out, kind, tuple, zone, TupleParts::ALL);
}

/// Writes only the given parts of a tuple: a filter must contain no others.
pub(in crate::netlink) fn emit_parts(
    out: &mut Emitter<'_>,
    kind: u16,
    tuple: &Tuple,
    zone: Option<u16>,
    parts: TupleParts,
) {
    out.nest(kind, |out| {
        if parts.has(TupleParts::SRC) || parts.has(TupleParts::DST) {
            out.nest(CTA_TUPLE_IP, |out| emit_addresses(out, tuple, parts));
        }
        if parts.has(TupleParts::PROTO) {
            out.nest(CTA_TUPLE_PROTO, |out| emit_protocol(out, tuple, parts));
        }
        if let Some(zone) = zone {
            out.be16(CTA_TUPLE_ZONE, zone);
        }
    });
}

fn emit_addresses(out: &mut Emitter<'_>, tuple: &Tuple, parts: TupleParts) {
    let (src, dst, bytes) = if tuple.family() == Family::Ipv6 as u16 {
        (CTA_IP_V6_SRC, CTA_IP_V6_DST, 16)
    } else {
        (CTA_IP_V4_SRC, CTA_IP_V4_DST, 4)
    };
    if parts.has(TupleParts::SRC) {
        out.put(src, &tuple.src[..bytes]);
    }
    if parts.has(TupleParts::DST) {
        out.put(dst, &tuple.dst[..bytes]);
    }
}

fn emit_protocol(out: &mut Emitter<'_>, tuple: &Tuple, parts: TupleParts) {
    out.u8(CTA_PROTO_NUM, tuple.protonum);
    let (icmp_type, icmp_code) = tuple.icmp_type_code();
    let icmp = match tuple.protonum {
        proto::ICMP => Some((CTA_PROTO_ICMP_ID, CTA_PROTO_ICMP_TYPE, CTA_PROTO_ICMP_CODE)),
        proto::ICMPV6 => Some((CTA_PROTO_ICMPV6_ID, CTA_PROTO_ICMPV6_TYPE, CTA_PROTO_ICMPV6_CODE)),
        _ => None,
    };
    if let Some((id, kind, code)) = icmp {
        if parts.has(TupleParts::SRC_L4) {
            out.put(id, &tuple.src_l4);
        }
        if parts.has(TupleParts::DST_L4) {
            out.u8(kind, icmp_type);
            out.u8(code, icmp_code);
        }
    } else if proto::has_ports(tuple.protonum) || tuple.protonum == proto::GRE {
        // GRE's keys are stored in the ports' fields.
        if parts.has(TupleParts::SRC_L4) {
            out.put(CTA_PROTO_SRC_PORT, &tuple.src_l4);
        }
        if parts.has(TupleParts::DST_L4) {
            out.put(CTA_PROTO_DST_PORT, &tuple.dst_l4);
        }
    }
}

#[inline]
fn addresses(attrs: Attrs<'_>, tuple: &mut Tuple) -> Result<(), AttrError> {
    for attr in attrs {
        let attr = attr?;
        let family = match attr.kind {
            CTA_IP_V4_SRC => {
                tuple.src[..4].copy_from_slice(&attr.array::<4>()?);
                Family::Ipv4
            }
            CTA_IP_V4_DST => {
                tuple.dst[..4].copy_from_slice(&attr.array::<4>()?);
                Family::Ipv4
            }
            CTA_IP_V6_SRC => {
                tuple.src = attr.array()?;
                Family::Ipv6
            }
            CTA_IP_V6_DST => {
                tuple.dst = attr.array()?;
                Family::Ipv6
            }
            _ => continue,
        };
        tuple.l3num = u16::from(family as u8).to_ne_bytes();
    }
    Ok(())
}

/// Ports, ICMP's fields and GRE's keys share bytes, as in the kernel's unions. A protocol unknown to
/// conntrack has only its number.
#[inline]
fn protocol(attrs: Attrs<'_>, tuple: &mut Tuple) -> Result<(), AttrError> {
    for attr in attrs {
        let attr = attr?;
        match attr.kind {
            CTA_PROTO_NUM => tuple.protonum = attr.u8()?,
            CTA_PROTO_SRC_PORT | CTA_PROTO_ICMP_ID | CTA_PROTO_ICMPV6_ID => tuple.src_l4 = attr.array()?,
            CTA_PROTO_DST_PORT => tuple.dst_l4 = attr.array()?,
            CTA_PROTO_ICMP_TYPE | CTA_PROTO_ICMPV6_TYPE => tuple.dst_l4[0] = attr.u8()?,
            CTA_PROTO_ICMP_CODE | CTA_PROTO_ICMPV6_CODE => tuple.dst_l4[1] = attr.u8()?,
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::samples, *};
    use crate::netlink::conntrack::Entry;

    fn emitted(tuple: &Tuple) -> Vec<u8> {
        let mut bytes = Vec::new();
        emit(&mut Emitter::new(&mut bytes), CTA_TUPLE_ORIG, tuple, None);
        bytes
    }

    #[test]
    fn tuples_are_written_as_the_kernel_does() {
        for sample in samples::ALL {
            let payload = sample.payload();
            let entry = Entry::parse(&payload).unwrap();
            let bytes = emitted(&entry.orig);
            // The length differs: a direction's own zone, which one sample has, follows these attributes.
            assert_eq!(bytes[2..], payload[6..4 + bytes.len()], "{}", sample.line);
        }
    }

    proptest! {
        #[test]
        fn written_values_are_read_back(
            v6: bool,
            src: [u8; 16],
            dst: [u8; 16],
            l4: ([u8; 2], [u8; 2]),
            protonum in prop::sample::select(vec![1u8, 6, 17, 33, 47, 50, 58, 132, 136]),
        ) {
            let mut tuple = Tuple { protonum, ..Tuple::default() };
            let (family, bytes) = if v6 { (Family::Ipv6, 16) } else { (Family::Ipv4, 4) };
            tuple.l3num = u16::from(family as u8).to_ne_bytes();
            tuple.src[..bytes].copy_from_slice(&src[..bytes]);
            tuple.dst[..bytes].copy_from_slice(&dst[..bytes]);
            if protonum != 50 {
                (tuple.src_l4, tuple.dst_l4) = l4;
            }
            let bytes = emitted(&tuple);
            let attr = Attrs::new(&bytes).next().unwrap().unwrap();
            prop_assert_eq!(parse(attr, 0), Ok((tuple, None)));
        }
    }
}
