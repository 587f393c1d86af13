//! The filters that the kernel applies in a dump or a flush: family, mark, status, zone, and from Linux 5.8
//! on parts of the tuples (`CTA_FILTER`).

use rsct_common::Tuple;

use super::{
    attribute::*,
    tuple::{self, TupleParts},
};
use crate::{family::Family, netlink::emit::Emitter};

/// A tuple of which some parts must match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TupleFilter {
    /// The values.
    pub tuple: Tuple,
    /// The parts that must match.
    pub parts: TupleParts,
}

/// A value with a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaskedU32 {
    /// Required value of the masked bits.
    pub value: u32,
    /// Mask of the compared bits.
    pub mask: u32,
}

/// A filter that the kernel applies. All conditions must match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DumpFilter {
    /// The address family; required with parts of tuples.
    pub family: Option<Family>,
    /// The mark.
    pub mark: Option<MaskedU32>,
    /// The status bits. The kernel refuses an empty mask.
    pub status: Option<MaskedU32>,
    /// The zone's number, of both directions or of one. Kernels before 6.8 ignore it.
    pub zone: Option<u16>,
    /// Parts of the original tuple.
    pub orig: TupleFilter,
    /// Parts of the reply tuple.
    pub reply: TupleFilter,
}

impl DumpFilter {
    /// Returns whether it has parts of tuples, which need Linux 5.8.
    pub fn has_tuples(&self) -> bool {
        !self.orig.parts.is_empty() || !self.reply.parts.is_empty()
    }

    /// Appends the filter's attributes.
    pub fn emit(&self, out: &mut Emitter<'_>) {
        for (kind, mask_kind, masked) in [
            (CTA_MARK, CTA_MARK_MASK, self.mark),
            (CTA_STATUS, CTA_STATUS_MASK, self.status),
        ] {
            if let Some(MaskedU32 { value, mask }) = masked {
                out.be32(kind, value);
                out.be32(mask_kind, mask);
            }
        }
        if let Some(zone) = self.zone {
            out.be16(CTA_ZONE, zone);
        }
        if !self.has_tuples() {
            return;
        }
        for (kind, filter) in [(CTA_TUPLE_ORIG, &self.orig), (CTA_TUPLE_REPLY, &self.reply)] {
            if !filter.parts.is_empty() {
                tuple::emit_parts(out, kind, &filter.tuple, None, filter.parts);
            }
        }
        out.nest(CTA_FILTER, |out| {
            // Unlike all other numbers, these are in the machine's byte order.
            out.put(CTA_FILTER_ORIG_FLAGS, &flags(&self.orig).to_ne_bytes());
            out.put(CTA_FILTER_REPLY_FLAGS, &flags(&self.reply).to_ne_bytes());
        });
    }
}

/// The kernel's flags: ICMP's parts have separate bits.
fn flags(filter: &TupleFilter) -> u32 {
    use crate::names::proto;

    let mut flags = filter.parts.bits();
    let (src_l4, dst_l4) = match filter.tuple.protonum {
        proto::ICMP => (1 << 8, 1 << 6 | 1 << 7),
        proto::ICMPV6 => (1 << 11, 1 << 9 | 1 << 10),
        _ => return flags,
    };
    for (part, own) in [(TupleParts::SRC_L4, src_l4), (TupleParts::DST_L4, dst_l4)] {
        if filter.parts.has(part) {
            flags = flags & !part.bits() | own;
        }
    }
    flags
}
