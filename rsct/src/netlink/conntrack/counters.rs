//! Packets and bytes of one direction.

use super::attribute::*;
use crate::netlink::{
    attr::{Attr, AttrError},
    emit::Emitter,
};

/// Packets and bytes of one direction; present while accounting is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes, IP headers included.
    pub bytes: u64,
}

#[inline]
pub(super) fn parse(attr: Attr<'_>) -> Result<Counters, AttrError> {
    let mut counters = Counters::default();
    for attr in attr.nested() {
        let attr = attr?;
        match attr.kind {
            CTA_COUNTERS_PACKETS => counters.packets = attr.be64()?,
            CTA_COUNTERS_BYTES => counters.bytes = attr.be64()?,
            _ => {}
        }
    }
    Ok(counters)
}

pub(super) fn emit(out: &mut Emitter<'_>, kind: u16, counters: Counters) {
    out.nest(kind, |out| {
        out.be64(CTA_COUNTERS_PACKETS, counters.packets);
        out.be64(CTA_COUNTERS_BYTES, counters.bytes);
    });
}
