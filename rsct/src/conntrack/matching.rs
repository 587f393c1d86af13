//! Matching of entries by conntrack's own rules.
//!
//! A typed value is compared; an entry without such a value does not match, except that a missing mark or zone counts
//! as 0. Values are compared only if one option of [`COMPARED`] is present: `--timeout` or a NAT address alone compares
//! nothing.

use rsct_common::Tuple;

use super::{
    object::{Attr, Nat, Object},
    options::{Given, Opt},
    parse::Order,
    problem::Problem,
};
use crate::{
    family::Family,
    flow::names::proto,
    netlink::{
        conntrack::{DumpFilter, Entry, MaskedU32, ProtoInfo, TupleFilter, TupleParts},
        dump::Query,
    },
};

/// `IPS_SRC_NAT_DONE` and `IPS_DST_NAT_DONE`.
const SRC_NAT_DONE: u32 = 1 << 7;
const DST_NAT_DONE: u32 = 1 << 8;

/// The options that turn comparison on.
pub(super) const COMPARED: Given = Given::of(&[
    Opt::Proto,
    Opt::OrigSrc,
    Opt::OrigDst,
    Opt::ReplSrc,
    Opt::ReplDst,
    Opt::Mark,
    Opt::Secmark,
    Opt::Status,
    Opt::Id,
    Opt::Zone,
    Opt::Label,
    Opt::OrigZone,
    Opt::ReplZone,
]);

/// An address and its significant bits.
#[derive(Clone, Copy, Debug)]
struct Network {
    attr: Attr,
    family: u16,
    address: [u8; 16],
    mask: [u8; 16],
}

impl Network {
    fn contains(&self, entry: &Entry<'_>) -> bool {
        let address = match self.attr {
            Attr::OrigSrc => &entry.orig.src,
            _ => &entry.orig.dst,
        };
        entry.orig.family() == self.family && masked(address, &self.mask) == self.address
    }
}

fn masked(address: &[u8; 16], mask: &[u8; 16]) -> [u8; 16] {
    std::array::from_fn(|index| address[index] & mask[index])
}

/// The condition that a command line sets on entries.
pub(super) struct Wanted<'a> {
    order: &'a Order,
    /// The typed values, without the addresses that have a prefix.
    entry: Object,
    networks: Vec<Network>,
}

impl<'a> Wanted<'a> {
    /// Builds the condition; fails for a mask without its address.
    pub(super) fn new(order: &'a Order) -> Result<Self, Problem> {
        let mut entry = order.target.entry.clone();
        let mask = &order.target.mask;
        let mut networks = Vec::new();
        for (mask_option, option, attr, name) in [
            (Opt::MaskSrc, Opt::OrigSrc, Attr::OrigSrc, "src"),
            (Opt::MaskDst, Opt::OrigDst, Attr::OrigDst, "dst"),
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
                Attr::OrigSrc => (entry.orig.src, mask.orig.src),
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
    pub(super) fn has(&self, entry: &Entry<'_>) -> bool {
        let compares = self.order.given.has_any(COMPARED);
        self.has_nat(entry)
            && self.has_mark(entry)
            && self.has_labels(entry)
            && self.networks.iter().all(|network| network.contains(entry))
            && (!compares || self.has_meta(entry) && self.has_orig(entry) && self.has_repl(entry))
    }

    /// Returns whether an entry matches for an update: mark, status and states are the new values, so they are not
    /// compared.
    pub(super) fn has_for_update(&self, entry: &Entry<'_>) -> bool {
        const ORIG: Given = Given::of(&[Opt::OrigSrc, Opt::OrigDst, Opt::Proto]);
        const REPL: Given = Given::of(&[Opt::ReplSrc, Opt::ReplDst, Opt::Proto]);
        let given = self.order.given;
        let is_it = match (self.entry.id, entry.id) {
            (Some(wanted), Some(id)) => wanted == id,
            _ => true,
        };
        is_it
            && self.has_nat(entry)
            && self.has_labels(entry)
            && self.networks.iter().all(|network| network.contains(entry))
            && (!given.has_any(ORIG) || self.has_orig(entry))
            && (!given.has_any(REPL) || self.has_repl(entry))
    }

    fn has_mark(&self, entry: &Entry<'_>) -> bool {
        self.order
            .mark
            .is_none_or(|wanted| entry.mark.is_some_and(|mark| mark & wanted.mask == wanted.value))
    }

    fn has_labels(&self, entry: &Entry<'_>) -> bool {
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

    fn has_nat(&self, entry: &Entry<'_>) -> bool {
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
        if given.has(Opt::AnyNat) {
            return snat() || dnat();
        }
        (!given.has(Opt::SrcNat) || snat()) && (!given.has(Opt::DstNat) || dnat())
    }

    fn has_meta(&self, entry: &Entry<'_>) -> bool {
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

    fn has_orig(&self, entry: &Entry<'_>) -> bool {
        let wanted = &self.entry;
        let set = wanted.set;
        (!set.has(Attr::OrigL3) || wanted.orig.l3num == entry.orig.l3num)
            && (!set.has(Attr::OrigL4) || self.has_protocol(&wanted.orig, &entry.orig, entry, false))
            && (!set.has(Attr::OrigSrc) || wanted.orig.src == entry.orig.src)
            && (!set.has(Attr::OrigDst) || wanted.orig.dst == entry.orig.dst)
            && (!set.has(Attr::OrigZone) || wanted.orig_zone == entry.zone_orig.unwrap_or(0))
    }

    fn has_repl(&self, entry: &Entry<'_>) -> bool {
        let wanted = &self.entry;
        let set = wanted.set;
        (!set.has(Attr::ReplL3) || wanted.repl.l3num == entry.reply.l3num)
            && (!set.has(Attr::ReplL4) || self.has_protocol(&wanted.repl, &entry.reply, entry, true))
            && (!set.has(Attr::ReplSrc) || wanted.repl.src == entry.reply.src)
            && (!set.has(Attr::ReplDst) || wanted.repl.dst == entry.reply.dst)
            && (!set.has(Attr::ReplZone) || wanted.repl_zone == entry.zone_reply.unwrap_or(0))
    }

    fn has_protocol(&self, wanted: &Tuple, tuple: &Tuple, entry: &Entry<'_>, is_reply: bool) -> bool {
        let set = self.entry.set;
        if wanted.protonum != tuple.protonum {
            return false;
        }
        if proto::is_icmp(wanted.protonum) {
            // The ICMP fields are those of the original direction.
            let (kind, code) = self.entry.orig.icmp_type_code();
            let (entry_kind, entry_code) = entry.orig.icmp_type_code();
            return (!set.has(Attr::IcmpId) || self.entry.orig.src_l4 == entry.orig.src_l4)
                && (!set.has(Attr::IcmpCode) || code == entry_code)
                && (!set.has(Attr::IcmpType) || kind == entry_kind);
        }
        let (sport, dport) = if is_reply {
            (Attr::ReplSport, Attr::ReplDport)
        } else {
            (Attr::OrigSport, Attr::OrigDport)
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
        let filter = |tuple: &Tuple, attrs: [Attr; 5]| {
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
                    Attr::OrigSrc,
                    Attr::OrigDst,
                    Attr::OrigL4,
                    Attr::OrigSport,
                    Attr::OrigDport,
                ],
            ),
            filter(
                &wanted.repl,
                [
                    Attr::ReplSrc,
                    Attr::ReplDst,
                    Attr::ReplL4,
                    Attr::ReplSport,
                    Attr::ReplDport,
                ],
            ),
        )
    }
}

/// Returns whether one end of an entry has the given translation. `was` and `is`: the end's address and port in the
/// original and in the reply direction. A port is compared only if it changed.
fn is_translated(
    wanted: &Nat,
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
