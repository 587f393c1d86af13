//! One entry of the table, decoded from its message.

use rsct_common::Tuple;
use thiserror::Error;

use super::{
    attribute::*,
    counters::{self, Counters},
    helper::{self, Helper},
    protoinfo::{self, ProtoInfo},
    seqadj::{self, SeqAdj},
    synproxy::{self, Synproxy},
    timestamps::{self, Timestamps},
    tuple,
};
use crate::{
    family::Family,
    netlink::{
        attr::{Attr, AttrError, Attrs},
        emit::Emitter,
    },
};

/// Size of `struct nfgenmsg`, which precedes the attributes.
const NFGENMSG_BYTES: usize = 4;

/// A message is not a valid entry.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// The message ends before its attributes begin.
    #[error("a conntrack message's header is cut to {got} of 4 bytes")]
    Header {
        /// Its size.
        got: usize,
    },
    /// The sequence of attributes is malformed.
    #[error("a conntrack message is malformed: {0}")]
    Attributes(AttrError),
    /// An attribute has an invalid value.
    #[error("{name} of a conntrack message is malformed: {source}")]
    Attribute {
        /// The kernel's name for the attribute.
        name: &'static str,
        /// The error.
        source: AttrError,
    },
    /// The message lacks a tuple.
    #[error("a conntrack message lacks {name}")]
    Missing {
        /// The kernel's name for the attribute.
        name: &'static str,
    },
}

/// One entry, borrowed from its message. A field is `None` if the kernel did not send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The original direction.
    pub orig: Tuple,
    /// The reply direction.
    pub reply: Tuple,
    /// The zone, if of both directions and not 0.
    pub zone: Option<u16>,
    /// The zone, if only of the original direction.
    pub zone_orig: Option<u16>,
    /// The zone, if only of the reply direction.
    pub zone_reply: Option<u16>,
    /// The status bits (`enum ip_conntrack_status`).
    pub status: Option<u32>,
    /// The protocol's own state.
    pub protoinfo: Option<ProtoInfo>,
    /// Seconds until it expires.
    pub timeout: Option<u32>,
    /// The mark.
    pub mark: Option<u32>,
    /// The original direction's counters.
    pub counters_orig: Option<Counters>,
    /// The reply direction's counters.
    pub counters_reply: Option<Counters>,
    /// Times of its confirmation and destruction.
    pub timestamps: Option<Timestamps>,
    /// Time of the event that this message reports (Linux 6.14 on), in nanoseconds since the epoch.
    pub event_ns: Option<u64>,
    /// References to the entry, less the one that ctnetlink holds.
    pub use_count: Option<u32>,
    /// A number that is unique among the entries that exist at one time.
    pub id: Option<u32>,
    /// The security mark.
    pub secmark: Option<u32>,
    /// The security context.
    pub secctx: Option<&'a [u8]>,
    /// The helper.
    pub helper: Option<Helper<'a>>,
    /// The label bits, lowest first, in 32-bit words of the machine's byte order.
    pub labels: Option<&'a [u8]>,
    /// Sequence adjustment of the original direction.
    pub seqadj_orig: Option<SeqAdj>,
    /// Sequence adjustment of the reply direction.
    pub seqadj_reply: Option<SeqAdj>,
    /// SYNPROXY's state.
    pub synproxy: Option<Synproxy>,
    /// The original tuple of the entry that expected this one.
    pub master: Option<Tuple>,
    attributes: &'a [u8],
    has_unknown: bool,
}

/// What a flow's records show of its entry.
#[derive(Clone, Copy, Debug)]
pub struct Basics {
    /// The original direction.
    pub orig: Tuple,
    /// The reply direction.
    pub reply: Tuple,
    /// The zone.
    pub zone: u16,
    /// The status bits.
    pub status: u32,
    /// The protocol's own state.
    pub state: u8,
    /// Seconds until it expires.
    pub timeout: Option<u32>,
    /// The mark.
    pub mark: u32,
}

impl<'a> Entry<'a> {
    /// An entry with these attributes only, as ctnetlink would report them.
    pub fn of(basics: &Basics) -> Self {
        Self {
            orig: basics.orig,
            reply: basics.reply,
            zone: (basics.zone != 0).then_some(basics.zone),
            status: Some(basics.status),
            protoinfo: ProtoInfo::of(basics.orig.protonum, basics.state),
            timeout: basics.timeout,
            mark: Some(basics.mark),
            ..Self::empty(&[])
        }
    }

    /// Parses the payload of an `IPCTNL_MSG_CT_NEW` or `_DELETE` message: `struct nfgenmsg`, then attributes.
    pub fn parse(payload: &'a [u8]) -> Result<Self, DecodeError> {
        let got = payload.len();
        let attributes = payload.get(NFGENMSG_BYTES..).ok_or(DecodeError::Header { got })?;
        let mut entry = Self::empty(attributes);
        for attr in Attrs::new(attributes) {
            let attr = attr.map_err(DecodeError::Attributes)?;
            if let Err(source) = entry.take(attr) {
                return Err(DecodeError::Attribute {
                    name: name(attr.kind),
                    source,
                });
            }
        }
        // The kernel always sends both tuples; a protocol number of 0 is possible, a family of 0 is not.
        if entry.orig.family() == 0 {
            return Err(DecodeError::Missing {
                name: "CTA_TUPLE_ORIG",
            });
        }
        if entry.reply.family() == 0 {
            return Err(DecodeError::Missing {
                name: "CTA_TUPLE_REPLY",
            });
        }
        Ok(entry)
    }

    /// Attributes unknown to this version of rsct.
    pub fn unknown(&self) -> impl Iterator<Item = Attr<'a>> {
        let attributes = if self.has_unknown { self.attributes } else { &[] };
        Attrs::new(attributes)
            .flatten()
            .filter(|attr| name(attr.kind) == UNKNOWN)
    }

    /// Appends every attribute that the kernel would send for this entry, unknown ones last.
    pub fn emit(&self, out: &mut Emitter<'_>) {
        tuple::emit(out, CTA_TUPLE_ORIG, &self.orig, self.zone_orig);
        tuple::emit(out, CTA_TUPLE_REPLY, &self.reply, self.zone_reply);
        if let Some(zone) = self.zone {
            out.be16(CTA_ZONE, zone);
        }
        for (kind, number) in [
            (CTA_STATUS, self.status),
            (CTA_TIMEOUT, self.timeout),
            (CTA_MARK, self.mark),
            (CTA_SECMARK, self.secmark),
            (CTA_ID, self.id),
            (CTA_USE, self.use_count),
        ] {
            if let Some(number) = number {
                out.be32(kind, number);
            }
        }
        for (kind, counters) in [
            (CTA_COUNTERS_ORIG, self.counters_orig),
            (CTA_COUNTERS_REPLY, self.counters_reply),
        ] {
            if let Some(counters) = counters {
                counters::emit(out, kind, counters);
            }
        }
        if let Some(timestamps) = self.timestamps {
            timestamps::emit(out, timestamps);
        }
        if let Some(event_ns) = self.event_ns {
            out.be64(CTA_TIMESTAMP_EVENT, event_ns);
        }
        if let Some(info) = &self.protoinfo {
            protoinfo::emit(out, info);
        }
        if let Some(helper) = self.helper {
            helper::emit(out, helper);
        }
        if let Some(secctx) = self.secctx {
            out.nest(CTA_SECCTX, |out| out.string(CTA_SECCTX_NAME, secctx));
        }
        if let Some(labels) = self.labels {
            out.put(CTA_LABELS, labels);
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
        if let Some(master) = &self.master {
            tuple::emit(out, CTA_TUPLE_MASTER, master, None);
        }
        for attr in self.unknown() {
            out.put(attr.kind, attr.payload);
        }
    }

    /// The address family.
    pub fn family(&self) -> Option<Family> {
        Family::from_number(self.orig.family())
    }

    /// The zone, if it is of both directions; 0 for the default zone and for an entry whose zone is only of
    /// one direction.
    pub fn both_directions_zone(&self) -> u16 {
        self.zone.unwrap_or(0)
    }

    /// `ct->zone.id`: the zone's number, of both directions or of one.
    pub fn zone_number(&self) -> u16 {
        self.zone.or(self.zone_orig).or(self.zone_reply).unwrap_or(0)
    }

    /// Numbers of the labels that are set.
    pub fn label_bits(&self) -> impl Iterator<Item = u32> {
        // The kernel stores labels in words of `unsigned long`, conntrack reads 32-bit words: identical on
        // little-endian machines.
        let (words, _) = self.labels.unwrap_or(&[]).as_chunks::<4>();
        (0u32..).zip(words).flat_map(|(index, word)| {
            let word = u32::from_ne_bytes(*word);
            (0..32)
                .filter(move |bit| word >> bit & 1 == 1)
                .map(move |bit| index * 32 + bit)
        })
    }

    fn empty(attributes: &'a [u8]) -> Self {
        Self {
            orig: Tuple::default(),
            reply: Tuple::default(),
            zone: None,
            zone_orig: None,
            zone_reply: None,
            status: None,
            protoinfo: None,
            timeout: None,
            mark: None,
            counters_orig: None,
            counters_reply: None,
            timestamps: None,
            event_ns: None,
            use_count: None,
            id: None,
            secmark: None,
            secctx: None,
            helper: None,
            labels: None,
            seqadj_orig: None,
            seqadj_reply: None,
            synproxy: None,
            master: None,
            attributes,
            has_unknown: false,
        }
    }

    #[inline]
    fn take(&mut self, attr: Attr<'a>) -> Result<(), AttrError> {
        match attr.kind {
            CTA_TUPLE_ORIG => (self.orig, self.zone_orig) = tuple::parse(attr, 0)?,
            CTA_TUPLE_REPLY => (self.reply, self.zone_reply) = tuple::parse(attr, 1)?,
            CTA_TUPLE_MASTER => self.master = Some(tuple::parse(attr, 0)?.0),
            CTA_STATUS => self.status = Some(attr.be32()?),
            CTA_PROTOINFO => self.protoinfo = protoinfo::parse(attr)?,
            CTA_TIMEOUT => self.timeout = Some(attr.be32()?),
            CTA_MARK => self.mark = Some(attr.be32()?),
            CTA_COUNTERS_ORIG => self.counters_orig = Some(counters::parse(attr)?),
            CTA_COUNTERS_REPLY => self.counters_reply = Some(counters::parse(attr)?),
            CTA_USE => self.use_count = Some(attr.be32()?),
            CTA_ID => self.id = Some(attr.be32()?),
            CTA_ZONE => self.zone = Some(attr.be16()?),
            CTA_SECMARK => self.secmark = Some(attr.be32()?),
            CTA_SECCTX => self.secctx = attr.find(CTA_SECCTX_NAME)?.map(|name| name.string()),
            CTA_TIMESTAMP => self.timestamps = Some(timestamps::parse(attr)?),
            CTA_TIMESTAMP_EVENT => self.event_ns = Some(attr.be64()?),
            CTA_HELP => self.helper = helper::parse(attr)?,
            CTA_LABELS => self.labels = Some(attr.payload),
            CTA_SEQ_ADJ_ORIG => self.seqadj_orig = Some(seqadj::parse(attr)?),
            CTA_SEQ_ADJ_REPLY => self.seqadj_reply = Some(seqadj::parse(attr)?),
            CTA_SYNPROXY => self.synproxy = Some(synproxy::parse(attr)?),
            _ => self.has_unknown = true,
        }
        Ok(())
    }
}

const UNKNOWN: &str = "an unknown attribute";

/// The kernel's name for an attribute, for those that [`Entry`] reads.
fn name(kind: u16) -> &'static str {
    match kind {
        CTA_TUPLE_ORIG => "CTA_TUPLE_ORIG",
        CTA_TUPLE_REPLY => "CTA_TUPLE_REPLY",
        CTA_TUPLE_MASTER => "CTA_TUPLE_MASTER",
        CTA_STATUS => "CTA_STATUS",
        CTA_PROTOINFO => "CTA_PROTOINFO",
        CTA_TIMEOUT => "CTA_TIMEOUT",
        CTA_MARK => "CTA_MARK",
        CTA_COUNTERS_ORIG => "CTA_COUNTERS_ORIG",
        CTA_COUNTERS_REPLY => "CTA_COUNTERS_REPLY",
        CTA_USE => "CTA_USE",
        CTA_ID => "CTA_ID",
        CTA_ZONE => "CTA_ZONE",
        CTA_SECMARK => "CTA_SECMARK",
        CTA_SECCTX => "CTA_SECCTX",
        CTA_TIMESTAMP => "CTA_TIMESTAMP",
        CTA_TIMESTAMP_EVENT => "CTA_TIMESTAMP_EVENT",
        CTA_HELP => "CTA_HELP",
        CTA_LABELS => "CTA_LABELS",
        CTA_SEQ_ADJ_ORIG => "CTA_SEQ_ADJ_ORIG",
        CTA_SEQ_ADJ_REPLY => "CTA_SEQ_ADJ_REPLY",
        CTA_SYNPROXY => "CTA_SYNPROXY",
        _ => UNKNOWN,
    }
}
