//! Conditions that only an entry can match: state, status, labels, NAT and helper.

use rsct_common::Tuple;

use crate::{
    filter::{NatCondition, StateSet},
    names::proto,
    netlink::conntrack::{Entry, MaskedU32},
};

/// Size of a helper's name with its zero byte (`NF_CT_HELPER_NAME_LEN`).
const HELPER_NAME_BYTES: usize = 16;

/// Required status bits and forbidden status bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Bits that must be set.
    pub set: u32,
    /// Bits that must be clear.
    pub clear: u32,
}

impl Status {
    /// Returns whether a status matches.
    pub fn contains(self, status: u32) -> bool {
        status & (self.set | self.clear) == self.set
    }
}

/// The name of a helper, limited to the kernel's length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HelperName([u8; HELPER_NAME_BYTES]);

impl HelperName {
    /// Copies a name if a helper can have it.
    pub fn new(name: &str) -> Option<Self> {
        let mut bytes = [0; HELPER_NAME_BYTES];
        if name.is_empty() || name.len() >= HELPER_NAME_BYTES || name.contains('\0') {
            return None;
        }
        bytes[..name.len()].copy_from_slice(name.as_bytes());
        Some(Self(bytes))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        let end = self.0.iter().position(|byte| *byte == 0);
        &self.0[..end.unwrap_or(HELPER_NAME_BYTES)]
    }
}

/// Conditions that neither packet headers nor the eBPF programs can check. An entry must match all that are present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Source port of the reply direction.
    pub reply_sport: Option<u16>,
    /// Destination port of the reply direction.
    pub reply_dport: Option<u16>,
    /// The protocol's state.
    pub state: Option<StateSet>,
    /// The status bits.
    pub status: Option<Status>,
    /// The zone, if it applies to the original direction alone.
    pub zone_orig: Option<u16>,
    /// The zone, if it applies to the reply direction alone.
    pub zone_reply: Option<u16>,
    /// Address or port translation.
    pub nat: Option<NatCondition>,
    /// Labels that must all be set, one bit each.
    pub labels: Option<u128>,
    /// The security mark.
    pub secmark: Option<MaskedU32>,
    /// The helper.
    pub helper: Option<HelperName>,
    /// The entry's id.
    pub id: Option<u32>,
    /// An ICMP or ICMPv6 query's type.
    pub icmp_type: Option<u8>,
    /// Its code.
    pub icmp_code: Option<u8>,
    /// Its id.
    pub icmp_id: Option<u16>,
}

impl Details {
    /// Returns whether no condition is present.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The first condition, by its long option, that records of the eBPF programs cannot answer.
    pub fn unknown_to_records(&self) -> Option<&'static str> {
        let unknown = [
            ("orig-zone", self.zone_orig.is_some()),
            ("reply-zone", self.zone_reply.is_some()),
            ("label", self.labels.is_some()),
            ("secmark", self.secmark.is_some()),
            ("helper", self.helper.is_some()),
            ("id", self.id.is_some()),
        ];
        unknown
            .into_iter()
            .find_map(|(option, given)| given.then_some(option))
    }

    /// Returns whether an entry matches the conditions that a record can answer. The reply direction may be unknown:
    /// then nothing is translated yet.
    pub fn meet_record(&self, orig: &Tuple, reply: Option<&Tuple>, status: u32, state: u8) -> bool {
        self.status.is_none_or(|wanted| wanted.contains(status))
            && self
                .state
                .is_none_or(|wanted| wanted.contains(orig.protonum, state))
            && self
                .nat
                .is_none_or(|wanted| reply.is_some_and(|reply| wanted.holds(orig, reply, status)))
            && self.meet_reply_ports(reply)
            && self.meet_icmp(orig)
    }

    /// Returns whether an entry matches all conditions.
    pub fn meet(&self, entry: &Entry<'_>) -> bool {
        self.is_empty() || self.meet_each(entry)
    }

    fn meet_each(&self, entry: &Entry<'_>) -> bool {
        let status = entry.status.unwrap_or(0);
        self.status.is_none_or(|wanted| wanted.contains(status))
            && self.state.is_none_or(|wanted| {
                let state = entry.protoinfo.and_then(|info| info.state());
                state.is_some_and(|state| wanted.contains(entry.orig.protonum, state))
            })
            && self.zone_orig.is_none_or(|zone| entry.zone_orig == Some(zone))
            && self.zone_reply.is_none_or(|zone| entry.zone_reply == Some(zone))
            && self
                .nat
                .is_none_or(|wanted| wanted.holds(&entry.orig, &entry.reply, status))
            && self.labels.is_none_or(|wanted| labels(entry) & wanted == wanted)
            && self
                .secmark
                .is_none_or(|wanted| entry.secmark.unwrap_or(0) & wanted.mask == wanted.value)
            && self.helper.is_none_or(|wanted| {
                entry
                    .helper
                    .is_some_and(|helper| helper.name == wanted.as_bytes())
            })
            && self.id.is_none_or(|id| entry.id == Some(id))
            && self.meet_reply_ports(Some(&entry.reply))
            && self.meet_icmp(&entry.orig)
    }

    fn meet_reply_ports(&self, reply: Option<&Tuple>) -> bool {
        if (self.reply_sport, self.reply_dport) == (None, None) {
            return true;
        }
        reply.is_some_and(|reply| {
            proto::has_ports(reply.protonum)
                && self.reply_sport.is_none_or(|port| reply.src_port() == port)
                && self.reply_dport.is_none_or(|port| reply.dst_port() == port)
        })
    }

    fn meet_icmp(&self, orig: &Tuple) -> bool {
        if (self.icmp_type, self.icmp_code, self.icmp_id) == (None, None, None) {
            return true;
        }
        let (icmp_type, icmp_code) = orig.icmp_type_code();
        proto::is_icmp(orig.protonum)
            && self.icmp_type.is_none_or(|wanted| icmp_type == wanted)
            && self.icmp_code.is_none_or(|wanted| icmp_code == wanted)
            && self.icmp_id.is_none_or(|wanted| orig.src_port() == wanted)
    }
}

/// An entry's labels as one number.
fn labels(entry: &Entry<'_>) -> u128 {
    entry
        .label_bits()
        .filter(|bit| *bit < u128::BITS)
        .fold(0, |labels, bit| labels | 1 << bit)
}
