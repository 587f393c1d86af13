//! SYNPROXY's state of an entry.

use super::attribute::*;
use crate::netlink::{
    attr::{Attr, AttrError},
    emit::Emitter,
};

/// SYNPROXY's state of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synproxy {
    /// The initial sequence number.
    pub isn: u32,
    /// The initial timestamp.
    pub its: u32,
    /// The timestamps' offset.
    pub tsoff: u32,
}

pub(super) fn parse(attr: Attr<'_>) -> Result<Synproxy, AttrError> {
    let mut synproxy = Synproxy::default();
    for attr in attr.nested() {
        let attr = attr?;
        match attr.kind {
            CTA_SYNPROXY_ISN => synproxy.isn = attr.be32()?,
            CTA_SYNPROXY_ITS => synproxy.its = attr.be32()?,
            CTA_SYNPROXY_TSOFF => synproxy.tsoff = attr.be32()?,
            _ => {}
        }
    }
    Ok(synproxy)
}

pub(super) fn emit(out: &mut Emitter<'_>, synproxy: Synproxy) {
    out.nest(CTA_SYNPROXY, |out| {
        out.be32(CTA_SYNPROXY_ISN, synproxy.isn);
        out.be32(CTA_SYNPROXY_ITS, synproxy.its);
        out.be32(CTA_SYNPROXY_TSOFF, synproxy.tsoff);
    });
}
