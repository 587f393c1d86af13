//! One direction of an entry, read into the kernel's own layout.

use rsct_common::Tuple;

use super::attribute::*;
use crate::{
    family::Family,
    flow::names::proto,
    netlink::{
        attr::{Attr, AttrError, Attrs},
        emit::Emitter,
    },
};

/// Reads a `CTA_TUPLE_*` attribute: the tuple, and the direction's own zone where it has one.
#[inline]
pub(super) fn parse(attr: Attr<'_>, dir: u8) -> Result<(Tuple, Option<u16>), AttrError> {
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

/// Writes a tuple as a `CTA_TUPLE_*` attribute, as the kernel takes it.
pub(in crate::netlink) fn emit(out: &mut Emitter, kind: u16, tuple: &Tuple) {
    out.nest(kind, |out| {
        out.nest(CTA_TUPLE_IP, |out| {
            if tuple.family() == Family::Ipv6 as u16 {
                out.put(CTA_IP_V6_SRC, &tuple.src);
                out.put(CTA_IP_V6_DST, &tuple.dst);
            } else {
                out.put(CTA_IP_V4_SRC, &tuple.src[..4]);
                out.put(CTA_IP_V4_DST, &tuple.dst[..4]);
            }
        });
        out.nest(CTA_TUPLE_PROTO, |out| {
            out.put(CTA_PROTO_NUM, &[tuple.protonum]);
            let (icmp_type, icmp_code) = tuple.icmp_type_code();
            match tuple.protonum {
                proto::ICMP => {
                    out.put(CTA_PROTO_ICMP_ID, &tuple.src_l4);
                    out.put(CTA_PROTO_ICMP_TYPE, &[icmp_type]);
                    out.put(CTA_PROTO_ICMP_CODE, &[icmp_code]);
                }
                proto::ICMPV6 => {
                    out.put(CTA_PROTO_ICMPV6_ID, &tuple.src_l4);
                    out.put(CTA_PROTO_ICMPV6_TYPE, &[icmp_type]);
                    out.put(CTA_PROTO_ICMPV6_CODE, &[icmp_code]);
                }
                // GRE's keys are where ports are.
                number if proto::has_ports(number) || number == proto::GRE => {
                    out.put(CTA_PROTO_SRC_PORT, &tuple.src_l4);
                    out.put(CTA_PROTO_DST_PORT, &tuple.dst_l4);
                }
                _ => {}
            }
        });
    });
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

/// Ports, ICMP's fields and GRE's keys share bytes, as they do in the kernel's unions. A protocol
/// that conntrack doesn't know sends its number alone.
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
        let mut out = Emitter::default();
        emit(&mut out, CTA_TUPLE_ORIG, tuple);
        out.into_bytes()
    }

    #[test]
    fn a_tuple_is_written_as_the_kernel_writes_it() {
        for sample in samples::ALL {
            let payload = sample.payload();
            let entry = Entry::parse(&payload).unwrap();
            let bytes = emitted(&entry.orig);
            // But for the length: a direction's own zone, which one of these has, stands behind the rest.
            assert_eq!(bytes[2..], payload[6..4 + bytes.len()], "{}", sample.line);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
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
