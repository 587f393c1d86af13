//! Adjustment of one direction's TCP sequence numbers.

use super::attribute::*;
use crate::netlink::{
    attr::{Attr, AttrError},
    emit::Emitter,
};

/// Adjustment of one direction's TCP sequence numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeqAdj {
    /// The sequence number from which the second offset applies.
    pub correction_pos: u32,
    /// The offset before that number.
    pub offset_before: i32,
    /// The offset from that number on.
    pub offset_after: i32,
}

pub(super) fn parse(attr: Attr<'_>) -> Result<SeqAdj, AttrError> {
    let mut adj = SeqAdj::default();
    for attr in attr.nested() {
        let attr = attr?;
        match attr.kind {
            CTA_SEQADJ_CORRECTION_POS => adj.correction_pos = attr.be32()?,
            CTA_SEQADJ_OFFSET_BEFORE => adj.offset_before = attr.be32()?.cast_signed(),
            CTA_SEQADJ_OFFSET_AFTER => adj.offset_after = attr.be32()?.cast_signed(),
            _ => {}
        }
    }
    Ok(adj)
}

pub(super) fn emit(out: &mut Emitter<'_>, kind: u16, adj: SeqAdj) {
    out.nest(kind, |out| {
        out.be32(CTA_SEQADJ_CORRECTION_POS, adj.correction_pos);
        out.be32(CTA_SEQADJ_OFFSET_BEFORE, adj.offset_before.cast_unsigned());
        out.be32(CTA_SEQADJ_OFFSET_AFTER, adj.offset_after.cast_unsigned());
    });
}
