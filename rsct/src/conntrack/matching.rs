//! Matching of entries by conntrack's own rules.
//!
//! A typed value is compared; an entry without such a value does not match, except that a missing mark or zone counts
//! as 0. Values are compared only if one option of [`COMPARED`] is present: `--timeout` or a NAT address alone compares
//! nothing.

use rsct_common::Tuple;

use super::{
    object::{EntryAttr, TypedEntry, TypedNat},
    options::{CtOption, OptionSet},
    parse::Order,
    problem::Problem,
};
use crate::{
    family::Family,
    names::proto,
    netlink::{
        conntrack::{DumpFilter, Entry, MaskedU32, ProtoInfo, TupleFilter, TupleParts},
        dump::Query,
    },
};

/// `IPS_SRC_NAT_DONE` and `IPS_DST_NAT_DONE`.
const SRC_NAT_DONE: u32 = 1 << 7;
const DST_NAT_DONE: u32 = 1 << 8;

/// The options that turn comparison on.
pub(super) const COMPARED: OptionSet = OptionSet::of(&[
    CtOption::Proto,
    CtOption::OrigSrc,
    CtOption::OrigDst,
    CtOption::ReplSrc,
    CtOption::ReplDst,
    CtOption::Mark,
    CtOption::Secmark,
    CtOption::Status,
    CtOption::Id,
    CtOption::Zone,
    CtOption::Label,
    CtOption::OrigZone,
    CtOption::ReplZone,
]);

/// An address and its significant bits.
#[derive(Clone, Copy, Debug)]
struct Network {
    attr: EntryAttr,
    family: u16,
    address: [u8; 16],
    mask: [u8; 16],
}

impl Network {
    fn contains(&self, entry: &Entry<'_>) -> bool {
        let address = match self.attr {
            EntryAttr::OrigSrc => &entry.orig.src,
            _ => &entry.orig.dst,
        };
        entry.orig.family() == self.family && masked(address, &self.mask) == self.address
    }
}

fn masked(address: &[u8; 16], mask: &[u8; 16]) -> [u8; 16] {
    std::array::from_fn(|index| address[index] & mask[index])
}

/// The condition that a command line sets on entries.
pub(super) struct EntryMatcher<'a> {
    order: &'a Order,
    /// The typed values, without the addresses that have a prefix.
    entry: TypedEntry,
    networks: Vec<Network>,
}

impl<'a> EntryMatcher<'a> {
    /// Builds the condition; fails for a mask without its address.
    pub(super) fn new(order: &'a Order) -> Result<Self, Problem> {
        let mut entry = order.target.entry.clone();
        let mask = &order.target.mask;
        let mut networks = Vec::new();
        for (mask_option, option, attr, name) in [
            (CtOption::MaskSrc, CtOption::OrigSrc, EntryAttr::OrigSrc, "src"),
            (CtOption::MaskDst, CtOption::OrigDst, EntryAttr::OrigDst, "dst"),
        ] {
            if !order.given.has(mask_option) {
                continue;
            }
            if !order.given.has(option) {
                return Err(Problem::parameter(format!(
                    "Can't use --mask-{name} without --{name}"
                )));
            }
            let (address, mask) = match attr {
                EntryAttr::OrigSrc => (entry.orig.src, mask.orig.src),
                _ => (entry.orig.dst, mask.orig.dst),
            };
            networks.push(Network {
                attr,
                family: order.family.map_or(0, |family| family as u16),
                address: masked(&address, &mask),
                mask,
            });
            entry.unset_address(attr);
        }
        Ok(Self {
            order,
            entry,
            networks,
        })
    }

    /// Returns whether an entry matches.
    pub(super) fn matches(&self, entry: &Entry<'_>) -> bool {
        let compares = self.order.given.has_any(COMPARED);
        self.matches_nat(entry)
            && self.matches_mark(entry)
            && self.matches_labels(entry)
            && self.networks.iter().all(|network| network.contains(entry))
            && (!compares || self.matches_meta(entry) && self.matches_orig(entry) && self.matches_repl(entry))
    }

    /// Returns whether an entry matches for an update: mark, status and states are the new values, so they are not
    /// compared.
    pub(super) fn matches_for_update(&self, entry: &Entry<'_>) -> bool {
        const ORIG: OptionSet = OptionSet::of(&[CtOption::OrigSrc, CtOption::OrigDst, CtOption::Proto]);
        const REPL: OptionSet = OptionSet::of(&[CtOption::ReplSrc, CtOption::ReplDst, CtOption::Proto]);
        let given = self.order.given;
        let is_it = match (self.entry.id, entry.id) {
            (Some(wanted), Some(id)) => wanted == id,
            _ => true,
        };
        is_it
            && self.matches_nat(entry)
            && self.matches_labels(entry)
            && self.networks.iter().all(|network| network.contains(entry))
            && (!given.has_any(ORIG) || self.matches_orig(entry))
            && (!given.has_any(REPL) || self.matches_repl(entry))
    }

    fn matches_mark(&self, entry: &Entry<'_>) -> bool {
        self.order
            .mark
            .is_none_or(|wanted| entry.mark.is_some_and(|mark| mark & wanted.mask == wanted.value))
    }

    fn matches_labels(&self, entry: &Entry<'_>) -> bool {
        let Some(wanted) = &self.order.label else {
            return true;
        };
        let Some(labels) = entry.labels else {
            return false;
        };
        let (words, _) = labels.as_chunks::<4>();
        let word = |index: usize| words.get(index).map_or(0, |word| u32::from_ne_bytes(*word));
        (0..)
            .zip(wanted.words())
            .all(|(index, wanted)| word(index) & wanted == *wanted)
    }

    fn matches_nat(&self, entry: &Entry<'_>) -> bool {
        let given = self.order.given;
        let done = |bit| entry.status.is_none_or(|status| status & bit != 0);
        let snat = || {
            let end = |tuple: &Tuple, is_orig: bool| {
                if is_orig {
                    (tuple.src, tuple.src_port())
                } else {
                    (tuple.dst, tuple.dst_port())
                }
            };
            is_translated(
                &self.entry.snat,
                entry,
                done(SRC_NAT_DONE),
                end(&entry.orig, true),
                end(&entry.reply, false),
            )
        };
        let dnat = || {
            is_translated(
                &self.entry.dnat,
                entry,
                done(DST_NAT_DONE),
                (entry.orig.dst, entry.orig.dst_port()),
                (entry.reply.src, entry.reply.src_port()),
            )
        };
        if given.has(CtOption::AnyNat) {
            return snat() || dnat();
        }
        (!given.has(CtOption::SrcNat) || snat()) && (!given.has(CtOption::DstNat) || dnat())
    }

    fn matches_meta(&self, entry: &Entry<'_>) -> bool {
        let wanted = &self.entry;
        let protocol = &wanted.protocol;
        let is_state = |wanted: Option<u8>, state: Option<u8>| wanted.is_none() || wanted == state;
        let (tcp, sctp, dccp) = match entry.protoinfo {
            Some(ProtoInfo::Tcp(tcp)) => (tcp.state, None, None),
            Some(ProtoInfo::Sctp(sctp)) => (None, sctp.state, None),
            Some(ProtoInfo::Dccp(dccp)) => (None, None, dccp.state),
            _ => (None, None, None),
        };
        (wanted.id.is_none() || wanted.id == entry.id)
            && (wanted.timeout.is_none() || wanted.timeout == entry.timeout)
            && (wanted.status.is_none()
                || entry
                    .status
                    .is_some_and(|status| self.order.status.match_status(status)))
            && is_state(protocol.tcp_state, tcp)
            && is_state(protocol.sctp_state, sctp)
            && is_state(protocol.dccp_state, dccp)
            && wanted
                .zone
                .is_none_or(|zone| zone == entry.both_directions_zone())
            && wanted
                .secmark
                .is_none_or(|mark| mark == entry.secmark.unwrap_or(0))
    }

    fn matches_orig(&self, entry: &Entry<'_>) -> bool {
        let wanted = &self.entry;
        let set = wanted.set;
        (!set.has(EntryAttr::OrigL3) || wanted.orig.l3num == entry.orig.l3num)
            && (!set.has(EntryAttr::OrigL4) || self.matches_protocol(&wanted.orig, &entry.orig, entry, false))
            && (!set.has(EntryAttr::OrigSrc) || wanted.orig.src == entry.orig.src)
            && (!set.has(EntryAttr::OrigDst) || wanted.orig.dst == entry.orig.dst)
            && (!set.has(EntryAttr::OrigZone) || wanted.orig_zone == entry.zone_orig.unwrap_or(0))
    }

    fn matches_repl(&self, entry: &Entry<'_>) -> bool {
        let wanted = &self.entry;
        let set = wanted.set;
        (!set.has(EntryAttr::ReplL3) || wanted.repl.l3num == entry.reply.l3num)
            && (!set.has(EntryAttr::ReplL4) || self.matches_protocol(&wanted.repl, &entry.reply, entry, true))
            && (!set.has(EntryAttr::ReplSrc) || wanted.repl.src == entry.reply.src)
            && (!set.has(EntryAttr::ReplDst) || wanted.repl.dst == entry.reply.dst)
            && (!set.has(EntryAttr::ReplZone) || wanted.repl_zone == entry.zone_reply.unwrap_or(0))
    }

    fn matches_protocol(&self, wanted: &Tuple, tuple: &Tuple, entry: &Entry<'_>, is_reply: bool) -> bool {
        let set = self.entry.set;
        if wanted.protonum != tuple.protonum {
            return false;
        }
        if proto::is_icmp(wanted.protonum) {
            // The ICMP fields are those of the original direction.
            let (kind, code) = self.entry.orig.icmp_type_code();
            let (entry_kind, entry_code) = entry.orig.icmp_type_code();
            return (!set.has(EntryAttr::IcmpId) || self.entry.orig.src_l4 == entry.orig.src_l4)
                && (!set.has(EntryAttr::IcmpCode) || code == entry_code)
                && (!set.has(EntryAttr::IcmpType) || kind == entry_kind);
        }
        let (sport, dport) = if is_reply {
            (EntryAttr::ReplSport, EntryAttr::ReplDport)
        } else {
            (EntryAttr::OrigSport, EntryAttr::OrigDport)
        };
        (!set.has(sport) || wanted.src_l4 == tuple.src_l4)
            && (!set.has(dport) || wanted.dst_l4 == tuple.dst_l4)
    }

    /// The part that the kernel can compare itself. It returns the same entries in the same order.
    pub(super) fn query(&self) -> Query {
        let order = self.order;
        let status = order.status;
        let mask = status.set | status.unset;
        let (orig, reply) = self.tuples();
        Query {
            filter: DumpFilter {
                family: order.family,
                mark: order.mark,
                status: (mask != 0).then_some(MaskedU32 {
                    value: status.set,
                    mask,
                }),
                zone: None,
                orig,
                reply,
            },
            ..Query::default()
        }
    }

    /// The tuple parts that the kernel compares: it needs a family, and a protocol if there are ports. It may refuse
    /// ICMP fields.
    fn tuples(&self) -> (TupleFilter, TupleFilter) {
        if self.order.family.is_none() || !self.order.given.has_any(COMPARED) {
            return Default::default();
        }
        let wanted = &self.entry;
        let filter = |tuple: &Tuple, attrs: [EntryAttr; 5]| {
            let [src, dst, protocol, sport, dport] = attrs;
            let mut tuple = *tuple;
            tuple.l3num = self
                .order
                .family
                .map_or([0; 2], |family| u16::from(family as u8).to_ne_bytes());
            let has_ports = proto::has_ports(tuple.protonum);
            // The kernel inverts the IPv6 address comparison (ctnetlink_filter_match_tuple()).
            let is_v4 = self.order.family == Some(Family::Ipv4);
            let mut parts = TupleParts::NONE;
            for (attr, part, counts) in [
                (src, TupleParts::SRC, is_v4),
                (dst, TupleParts::DST, is_v4),
                (protocol, TupleParts::PROTO, true),
                (sport, TupleParts::SRC_L4, has_ports),
                (dport, TupleParts::DST_L4, has_ports),
            ] {
                if counts && wanted.set.has(attr) {
                    parts = parts.with(part);
                }
            }
            TupleFilter { tuple, parts }
        };
        (
            filter(
                &wanted.orig,
                [
                    EntryAttr::OrigSrc,
                    EntryAttr::OrigDst,
                    EntryAttr::OrigL4,
                    EntryAttr::OrigSport,
                    EntryAttr::OrigDport,
                ],
            ),
            filter(
                &wanted.repl,
                [
                    EntryAttr::ReplSrc,
                    EntryAttr::ReplDst,
                    EntryAttr::ReplL4,
                    EntryAttr::ReplSport,
                    EntryAttr::ReplDport,
                ],
            ),
        )
    }
}

/// Returns whether one end of an entry has the given translation. `was` and `is`: the end's address and port in the
/// original and in the reply direction. A port is compared only if it changed.
fn is_translated(
    wanted: &TypedNat,
    entry: &Entry<'_>,
    done: bool,
    was: ([u8; 16], u16),
    is: ([u8; 16], u16),
) -> bool {
    let has_ports = proto::has_ports(entry.orig.protonum) || entry.orig.protonum == proto::GRE;
    let by_address = done && was.0 != is.0;
    let by_port = done && has_ports && was.1 != is.1;
    let is_family = wanted
        .family
        .is_none_or(|family| family as u16 == entry.orig.family());
    let has_address = wanted
        .addr
        .map(|address| by_address && is_family && address == is.0);
    let has_port = wanted.port.map(|port| by_port && port == is.1);
    match (has_address, has_port) {
        (None, None) => by_address || by_port,
        (Some(address), None) => address,
        (None, Some(port)) => port,
        (Some(address), Some(port)) => address && port,
    }
}
