//! One direction of an entry, read into the kernel's own layout.

use rsct_common::Tuple;

use super::attribute::*;
use crate::{
    family::Family,
    netlink::attr::{Attr, AttrError, Attrs},
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
