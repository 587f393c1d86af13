//! A request about an entry: to create, change, look up or delete it.

use rsct_common::Tuple;

use super::{
    attribute::*,
    helper::{self, Helper},
    nat::{self, Nat},
    protoinfo::{self, ProtoInfo},
    seqadj::{self, SeqAdj},
    synproxy::{self, Synproxy},
    tuple,
};
use crate::netlink::{
    attr::{AttrError, Attrs},
    emit::Emitter,
};

/// All attributes that the kernel accepts about one entry. It receives no `None` field: a new entry gets the
/// default, an existing one keeps its value.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Change<'a> {
    /// The original direction.
    pub orig: Option<Tuple>,
    /// The zone, if only of the original direction.
    pub zone_orig: Option<u16>,
    /// The reply direction.
    pub reply: Option<Tuple>,
    /// The zone, if only of the reply direction.
    pub zone_reply: Option<u16>,
    /// The zone, if of both directions.
    pub zone: Option<u16>,
    /// The status bits (`enum ip_conntrack_status`). The kernel never clears one.
    pub status: Option<u32>,
    /// Seconds until it expires.
    pub timeout: Option<u32>,
    /// The mark.
    pub mark: Option<u32>,
    /// Mask of mark bits to clear before the new mark is XORed in.
    pub mark_mask: Option<u32>,
    /// The protocol's own state.
    pub protoinfo: Option<ProtoInfo>,
    /// The helper.
    pub helper: Option<Helper<'a>>,
    /// Translation of the source.
    pub nat_src: Option<Nat>,
    /// Translation of the destination.
    pub nat_dst: Option<Nat>,
    /// The label bits, as in [`Entry::labels`](super::Entry::labels).
    pub labels: Option<&'a [u8]>,
    /// Mask of label bits to replace; as long as `labels`.
    pub labels_mask: Option<&'a [u8]>,
    /// Sequence adjustment of the original direction.
    pub seqadj_orig: Option<SeqAdj>,
    /// Sequence adjustment of the reply direction.
    pub seqadj_reply: Option<SeqAdj>,
    /// SYNPROXY's state.
    pub synproxy: Option<Synproxy>,
    /// The original tuple of the entry that expected this one.
    pub master: Option<Tuple>,
    /// The entry's id: a deletion fails if it differs.
    pub id: Option<u32>,
}

impl<'a> Change<'a> {
    /// The zone's number, of both directions or of one.
    pub fn zone_number(&self) -> Option<u16> {
        self.zone.or(self.zone_orig).or(self.zone_reply)
    }

    /// The address family for the message header; 0 without a tuple.
    pub fn family(&self) -> u8 {
        let tuple = self.orig.as_ref().or(self.reply.as_ref());
        tuple.map_or(0, |tuple| u8::try_from(tuple.family()).unwrap_or(0))
    }

    /// Appends the attributes.
    pub fn emit(&self, out: &mut Emitter<'_>) {
        for (kind, tuple, zone) in [
            (CTA_TUPLE_ORIG, &self.orig, self.zone_orig),
            (CTA_TUPLE_REPLY, &self.reply, self.zone_reply),
            (CTA_TUPLE_MASTER, &self.master, None),
        ] {
            if let Some(tuple) = tuple {
                tuple::emit(out, kind, tuple, zone);
            }
        }
        if let Some(zone) = self.zone {
            out.be16(CTA_ZONE, zone);
        }
        for (kind, number) in [
            (CTA_STATUS, self.status),
            (CTA_TIMEOUT, self.timeout),
            (CTA_MARK, self.mark),
            (CTA_MARK_MASK, self.mark_mask),
            (CTA_ID, self.id),
        ] {
            if let Some(number) = number {
                out.be32(kind, number);
            }
        }
        if let Some(info) = &self.protoinfo {
            protoinfo::emit(out, info);
        }
        if let Some(helper) = self.helper {
            helper::emit(out, helper);
        }
        for (kind, nat) in [(CTA_NAT_SRC, &self.nat_src), (CTA_NAT_DST, &self.nat_dst)] {
            if let Some(nat) = nat {
                nat::emit(out, kind, nat);
            }
        }
        for (kind, labels) in [(CTA_LABELS, self.labels), (CTA_LABELS_MASK, self.labels_mask)] {
            if let Some(labels) = labels {
                out.put(kind, labels);
            }
        }
        for (kind, adj) in [
            (CTA_SEQ_ADJ_ORIG, self.seqadj_orig),
            (CTA_SEQ_ADJ_REPLY, self.seqadj_reply),
        ] {
            if let Some(adj) = adj {
                seqadj::emit(out, kind, adj);
            }
        }
        if let Some(synproxy) = self.synproxy {
            synproxy::emit(out, synproxy);
        }
    }

    /// Parses attributes in the format that [`emit`](Self::emit) writes, as the kernel would.
    pub fn parse(attributes: &'a [u8]) -> Result<Self, AttrError> {
        let mut change = Self::default();
        for attr in Attrs::new(attributes) {
            let attr = attr?;
            match attr.kind {
                CTA_TUPLE_ORIG => {
                    let (tuple, zone) = tuple::parse(attr, 0)?;
                    (change.orig, change.zone_orig) = (Some(tuple), zone);
                }
                CTA_TUPLE_REPLY => {
                    let (tuple, zone) = tuple::parse(attr, 1)?;
                    (change.reply, change.zone_reply) = (Some(tuple), zone);
                }
                CTA_TUPLE_MASTER => change.master = Some(tuple::parse(attr, 0)?.0),
                CTA_ZONE => change.zone = Some(attr.be16()?),
                CTA_STATUS => change.status = Some(attr.be32()?),
                CTA_TIMEOUT => change.timeout = Some(attr.be32()?),
                CTA_MARK => change.mark = Some(attr.be32()?),
                CTA_MARK_MASK => change.mark_mask = Some(attr.be32()?),
                CTA_ID => change.id = Some(attr.be32()?),
                CTA_PROTOINFO => change.protoinfo = protoinfo::parse(attr)?,
                CTA_HELP => change.helper = helper::parse(attr)?,
                CTA_NAT_SRC => change.nat_src = Some(nat::parse(attr)?),
                CTA_NAT_DST => change.nat_dst = Some(nat::parse(attr)?),
                CTA_LABELS => change.labels = Some(attr.payload),
                CTA_LABELS_MASK => change.labels_mask = Some(attr.payload),
                CTA_SEQ_ADJ_ORIG => change.seqadj_orig = Some(seqadj::parse(attr)?),
                CTA_SEQ_ADJ_REPLY => change.seqadj_reply = Some(seqadj::parse(attr)?),
                CTA_SYNPROXY => change.synproxy = Some(synproxy::parse(attr)?),
                _ => {}
            }
        }
        Ok(change)
    }
}
