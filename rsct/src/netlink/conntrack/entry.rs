//! One entry of the table, decoded from its message.

use rsct_common::Tuple;
use thiserror::Error;

use super::{attribute::*, protoinfo, protoinfo::ProtoInfo, tuple};
use crate::{
    family::Family,
    netlink::attr::{Attr, AttrError, Attrs},
};

/// Bytes of `struct nfgenmsg`, which stands before the attributes.
const NFGENMSG_BYTES: usize = 4;

/// Why a message is not an entry.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DecodeError {
    /// The message ends before its attributes begin.
    #[error("a conntrack message of {got} bytes ends inside its header of 4")]
    Header {
        /// Its size.
        got: usize,
    },
    /// The message's own attributes are damaged.
    #[error("a conntrack message can't be read: {0}")]
    Attributes(AttrError),
    /// An attribute holds something else than the kernel puts there.
    #[error("{name} of a conntrack message can't be read: {source}")]
    Attribute {
        /// The kernel's name for the attribute.
        name: &'static str,
        /// What is wrong.
        source: AttrError,
    },
    /// An entry without a tuple names no flow.
    #[error("a conntrack message lacks {name}")]
    Missing {
        /// The kernel's name for the attribute.
        name: &'static str,
    },
}

/// Packets and bytes of one direction; there while accounting is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes, IP headers included.
    pub bytes: u64,
}

/// When an entry came and went, in nanoseconds since the epoch; there while timestamping is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timestamps {
    /// When it was confirmed.
    pub start_ns: Option<u64>,
    /// When it was destroyed.
    pub stop_ns: Option<u64>,
}

/// The connection tracking helper at work on an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Helper<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// What a helper in user space keeps about the entry.
    pub info: Option<&'a [u8]>,
}

/// How one direction's TCP sequence numbers are adjusted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SeqAdj {
    /// The sequence number from which the second offset holds.
    pub correction_pos: u32,
    /// The offset up to there.
    pub offset_before: i32,
    /// The offset from there on.
    pub offset_after: i32,
}

/// What SYNPROXY keeps about an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synproxy {
    /// The initial sequence number.
    pub isn: u32,
    /// The initial timestamp.
    pub its: u32,
    /// The timestamps' offset.
    pub tsoff: u32,
}

/// One entry, borrowing from the message it came in. `None` where the kernel sent nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// The original direction.
    pub orig: Tuple,
    /// The reply direction.
    pub reply: Tuple,
    /// The entry's zone, where it holds for both directions and is not 0.
    pub zone: Option<u16>,
    /// The zone of the original direction alone.
    pub zone_orig: Option<u16>,
    /// The zone of the reply direction alone.
    pub zone_reply: Option<u16>,
    /// The status bits (`enum ip_conntrack_status`).
    pub status: Option<u32>,
    /// What belongs to the protocol.
    pub protoinfo: Option<ProtoInfo>,
    /// Seconds until it expires.
    pub timeout: Option<u32>,
    /// The mark.
    pub mark: Option<u32>,
    /// The original direction's counters.
    pub counters_orig: Option<Counters>,
    /// The reply direction's counters.
    pub counters_reply: Option<Counters>,
    /// When it came and went.
    pub timestamps: Option<Timestamps>,
    /// When the event happened that this message tells of (Linux 6.14 on), nanoseconds since the epoch.
    pub event_ns: Option<u64>,
    /// References to the entry, less the one that ctnetlink holds.
    pub use_count: Option<u32>,
    /// A number that tells it from any other entry while both live.
    pub id: Option<u32>,
    /// The security mark.
    pub secmark: Option<u32>,
    /// The security context.
    pub secctx: Option<&'a [u8]>,
    /// The helper.
    pub helper: Option<Helper<'a>>,
    /// The label bits, lowest first, in the machine's order of bytes within words of 32 bits.
    pub labels: Option<&'a [u8]>,
    /// Sequence adjustment of the original direction.
    pub seqadj_orig: Option<SeqAdj>,
    /// Sequence adjustment of the reply direction.
    pub seqadj_reply: Option<SeqAdj>,
    /// SYNPROXY's part.
    pub synproxy: Option<Synproxy>,
    /// The original tuple of the entry that expected this one.
    pub master: Option<Tuple>,
    attributes: &'a [u8],
    has_unknown: bool,
}

impl<'a> Entry<'a> {
    /// Reads the payload of a `IPCTNL_MSG_CT_NEW` or `_DELETE` message: `struct nfgenmsg`, then
    /// attributes.
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
        // The kernel leaves no tuple out; a protocol number of 0 is possible, a family of 0 is not.
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

    /// The attributes that this version of rsct doesn't know.
    pub fn unknown(&self) -> impl Iterator<Item = Attr<'a>> {
        let attributes = if self.has_unknown { self.attributes } else { &[] };
        Attrs::new(attributes)
            .flatten()
            .filter(|attr| name(attr.kind) == UNKNOWN)
    }

    /// The address family.
    pub fn family(&self) -> Option<Family> {
        Family::from_number(self.orig.family())
    }

    /// The zone that holds for both directions; 0 is the default zone, and what an entry has whose
    /// zone holds for one direction only.
    pub fn zone_id(&self) -> u16 {
        self.zone.unwrap_or(0)
    }

    /// The numbers of the labels that are set.
    pub fn label_bits(&self) -> impl Iterator<Item = u32> {
        // The kernel keeps labels in words of `unsigned long`, conntrack reads them in words of 32
        // bits: the same thing on little-endian machines.
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
            CTA_COUNTERS_ORIG => self.counters_orig = Some(counters(attr)?),
            CTA_COUNTERS_REPLY => self.counters_reply = Some(counters(attr)?),
            CTA_USE => self.use_count = Some(attr.be32()?),
            CTA_ID => self.id = Some(attr.be32()?),
            CTA_ZONE => self.zone = Some(attr.be16()?),
            CTA_SECMARK => self.secmark = Some(attr.be32()?),
            CTA_SECCTX => self.secctx = find(attr, CTA_SECCTX_NAME)?.map(|name| name.string()),
            CTA_TIMESTAMP => self.timestamps = Some(timestamps(attr)?),
            CTA_TIMESTAMP_EVENT => self.event_ns = Some(attr.be64()?),
            CTA_HELP => self.helper = helper(attr)?,
            CTA_LABELS => self.labels = Some(attr.payload),
            CTA_SEQ_ADJ_ORIG => self.seqadj_orig = Some(seqadj(attr)?),
            CTA_SEQ_ADJ_REPLY => self.seqadj_reply = Some(seqadj(attr)?),
            CTA_SYNPROXY => self.synproxy = Some(synproxy(attr)?),
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

fn find<'a>(attr: Attr<'a>, kind: u16) -> Result<Option<Attr<'a>>, AttrError> {
    for attr in attr.nested() {
        let attr = attr?;
        if attr.kind == kind {
            return Ok(Some(attr));
        }
    }
    Ok(None)
}

#[inline]
fn counters(attr: Attr<'_>) -> Result<Counters, AttrError> {
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

fn timestamps(attr: Attr<'_>) -> Result<Timestamps, AttrError> {
    let mut timestamps = Timestamps::default();
    for attr in attr.nested() {
        let attr = attr?;
        match attr.kind {
            CTA_TIMESTAMP_START => timestamps.start_ns = Some(attr.be64()?),
            CTA_TIMESTAMP_STOP => timestamps.stop_ns = Some(attr.be64()?),
            _ => {}
        }
    }
    Ok(timestamps)
}

fn helper(attr: Attr<'_>) -> Result<Option<Helper<'_>>, AttrError> {
    let info = find(attr, CTA_HELP_INFO)?.map(|info| info.payload);
    Ok(find(attr, CTA_HELP_NAME)?.map(|name| Helper {
        name: name.string(),
        info,
    }))
}

fn seqadj(attr: Attr<'_>) -> Result<SeqAdj, AttrError> {
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

fn synproxy(attr: Attr<'_>) -> Result<Synproxy, AttrError> {
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
