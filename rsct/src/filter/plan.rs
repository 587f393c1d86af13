//! Division of a filter between the kernel and rsct.

use rsct_common::Tuple;

use super::{Filter, Prefix};
use crate::{
    family::Family,
    names::proto,
    netlink::conntrack::{DumpFilter, MaskedU32, TupleFilter, TupleParts},
};

/// A condition and its evaluator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlannedCondition {
    /// The condition, by its long option.
    pub option: &'static str,
    /// The evaluator.
    pub by: Evaluator,
}

/// The evaluator of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evaluator {
    /// The kernel evaluates it exactly.
    Kernel,
    /// rsct evaluates it; the reason why the kernel does not.
    Rsct(&'static str),
}

/// Dump requests for a filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// The requests, sent one after the other. Their results are disjoint, and together contain every matching entry.
    pub queries: Vec<DumpFilter>,
    /// The evaluator of each condition.
    pub conditions: Vec<PlannedCondition>,
}

impl Plan {
    /// Returns whether the kernel returns exactly the matching entries, if it supports every attribute.
    pub fn is_all_in_kernel(&self) -> bool {
        self.conditions
            .iter()
            .all(|condition| condition.by == Evaluator::Kernel)
    }
}

const NO_PREFIXES: &str = "the kernel compares only whole addresses";
/// ctnetlink_filter_match_tuple() in net/netfilter/nf_conntrack_netlink.c, as of Linux 5.8 to 7.3: `!ipv6_addr_cmp()`.
const IPV6_ADDRESSES: &str = "the kernel inverts the comparison of IPv6 addresses";
const NEEDS_PROTO: &str = "the kernel compares ports only with --proto tcp or udp";
const NEEDS_ICMP: &str = "the kernel compares ICMP type, code and id only together and with --proto";
const EITHER: &str = "the kernel cannot compare one value with several fields";
const NO_ZONE: &str = "the kernel's filter treats zone 0 as no zone, at least before Linux 6.8";
const PROGRAMS: &str =
    "the eBPF programs compare only addresses, ports, zone and mark, to reject packets early";
const UNKNOWN: &str = "the kernel's filter has no attribute for it";

impl Filter {
    /// Assigns as many conditions as possible to the kernel.
    pub fn plan(&self) -> Plan {
        let mut planner = Planner {
            query: DumpFilter {
                family: self.family,
                ..DumpFilter::default()
            },
            conditions: Vec::new(),
        };
        planner.add("family", self.family.is_some(), Evaluator::Kernel);
        self.plan_tuples(&mut planner);
        self.plan_rest(&mut planner);
        let Planner { query, conditions } = planner;
        let families = match query.family {
            // The kernel compares tuples only within a family.
            None if query.has_tuples() => vec![Some(Family::Ipv4), Some(Family::Ipv6)],
            family => vec![family],
        };
        Plan {
            queries: families
                .into_iter()
                .map(|family| {
                    let mut query = DumpFilter { family, ..query };
                    for filter in [&mut query.orig, &mut query.reply] {
                        let number = family.map_or(0, |family| family as u8);
                        filter.tuple.l3num = u16::from(number).to_ne_bytes();
                    }
                    query
                })
                .collect(),
            conditions,
        }
    }

    /// The evaluator of each condition in a trace: the eBPF programs, or rsct for their records.
    pub fn conditions_in_trace(&self) -> Vec<PlannedCondition> {
        let details = &self.details;
        let programs = [
            ("family", self.family.is_some()),
            ("proto", self.proto.is_some()),
            ("src", self.src.is_some()),
            ("dst", self.dst.is_some()),
            ("reply-src", self.reply_src.is_some()),
            ("reply-dst", self.reply_dst.is_some()),
            ("host", self.host.is_some()),
            ("sport", self.sport.is_some()),
            ("dport", self.dport.is_some()),
            ("port", self.port.is_some()),
            ("zone", self.zone.is_some()),
            ("mark", self.mark.is_some()),
        ];
        let rsct = [
            ("reply-port-src", details.reply_sport.is_some()),
            ("reply-port-dst", details.reply_dport.is_some()),
            ("state", details.state.is_some()),
            ("status", details.status.is_some()),
            ("nat", details.nat.is_some()),
            ("icmp-type", details.icmp_type.is_some()),
            ("icmp-code", details.icmp_code.is_some()),
            ("icmp-id", details.icmp_id.is_some()),
        ];
        let planned = |conditions: &[(&'static str, bool)], by| -> Vec<PlannedCondition> {
            let given = conditions.iter().filter(|(_, given)| *given);
            given.map(|(option, _)| PlannedCondition { option, by }).collect()
        };
        [
            planned(&programs, Evaluator::Kernel),
            planned(&rsct, Evaluator::Rsct(PROGRAMS)),
        ]
        .concat()
    }

    fn plan_tuples(&self, planner: &mut Planner) {
        if let Some(protonum) = self.proto {
            planner.query.orig.tuple.protonum = protonum;
            planner.query.orig.parts = TupleParts::PROTO;
            planner.add("proto", true, Evaluator::Kernel);
        }
        for (option, prefix, reply, part) in [
            ("src", self.src, false, TupleParts::SRC),
            ("dst", self.dst, false, TupleParts::DST),
            ("reply-src", self.reply_src, true, TupleParts::SRC),
            ("reply-dst", self.reply_dst, true, TupleParts::DST),
        ] {
            if let Some(prefix) = prefix {
                planner.address(option, prefix, reply, part);
            }
        }
        let ports_of = self
            .proto
            .filter(|protonum| matches!(*protonum, proto::TCP | proto::UDP));
        for (option, port, reply, part) in [
            ("sport", self.sport, false, TupleParts::SRC_L4),
            ("dport", self.dport, false, TupleParts::DST_L4),
            (
                "reply-port-src",
                self.details.reply_sport,
                true,
                TupleParts::SRC_L4,
            ),
            (
                "reply-port-dst",
                self.details.reply_dport,
                true,
                TupleParts::DST_L4,
            ),
        ] {
            if let Some(port) = port {
                planner.port(option, port, ports_of, reply, part);
            }
        }
        planner.add("host", self.host.is_some(), Evaluator::Rsct(EITHER));
        planner.add("port", self.port.is_some(), Evaluator::Rsct(EITHER));
        self.plan_icmp(planner);
    }

    fn plan_icmp(&self, planner: &mut Planner) {
        let details = &self.details;
        let parts = [
            ("icmp-type", details.icmp_type.is_some()),
            ("icmp-code", details.icmp_code.is_some()),
            ("icmp-id", details.icmp_id.is_some()),
        ];
        let known = self.proto.filter(|protonum| proto::is_icmp(*protonum));
        // With CTA_PROTO_ICMP_TYPE, the kernel's parser also requires code and id.
        if let (Some(_), Some(icmp_type), Some(icmp_code), Some(icmp_id)) =
            (known, details.icmp_type, details.icmp_code, details.icmp_id)
        {
            let filter = &mut planner.query.orig;
            filter.tuple.dst_l4 = [icmp_type, icmp_code];
            filter.tuple.src_l4 = icmp_id.to_be_bytes();
            filter.parts = filter.parts.with(TupleParts::SRC_L4).with(TupleParts::DST_L4);
            for (option, given) in parts {
                planner.add(option, given, Evaluator::Kernel);
            }
        } else {
            for (option, given) in parts {
                planner.add(option, given, Evaluator::Rsct(NEEDS_ICMP));
            }
        }
    }

    fn plan_rest(&self, planner: &mut Planner) {
        let details = &self.details;
        if let Some(status) = details.status {
            planner.query.status = Some(MaskedU32 {
                value: status.set,
                mask: status.set | status.clear,
            });
            planner.add("status", true, Evaluator::Kernel);
        }
        if let Some(mark) = self.mark {
            planner.query.mark = Some(mark);
            planner.add("mark", true, Evaluator::Kernel);
        }
        match self.zone {
            Some(0) => planner.add("zone", true, Evaluator::Rsct(NO_ZONE)),
            Some(zone) => {
                planner.query.zone = Some(zone);
                planner.add("zone", true, Evaluator::Kernel);
            }
            None => {}
        }
        let nat = details.nat.is_some();
        for (option, given) in [
            ("orig-zone", details.zone_orig.is_some()),
            ("reply-zone", details.zone_reply.is_some()),
            ("state", details.state.is_some()),
            ("label", details.labels.is_some()),
            ("nat", nat),
            ("secmark", details.secmark.is_some()),
            ("helper", details.helper.is_some()),
            ("id", details.id.is_some()),
        ] {
            planner.add(option, given, Evaluator::Rsct(UNKNOWN));
        }
    }
}

struct Planner {
    query: DumpFilter,
    conditions: Vec<PlannedCondition>,
}

impl Planner {
    fn add(&mut self, option: &'static str, given: bool, by: Evaluator) {
        if given {
            self.conditions.push(PlannedCondition { option, by });
        }
    }

    fn address(&mut self, option: &'static str, prefix: Prefix, reply: bool, part: TupleParts) {
        let std::net::IpAddr::V4(addr) = prefix.addr else {
            return self.add(option, true, Evaluator::Rsct(IPV6_ADDRESSES));
        };
        if prefix.bits != 32 {
            return self.add(option, true, Evaluator::Rsct(NO_PREFIXES));
        }
        let filter = self.filter(reply);
        filter.parts = filter.parts.with(part);
        let Tuple { src, dst, .. } = &mut filter.tuple;
        let bytes = if part == TupleParts::SRC { src } else { dst };
        bytes[..4].copy_from_slice(&addr.octets());
        self.add(option, true, Evaluator::Kernel);
    }

    fn port(&mut self, option: &'static str, port: u16, protonum: Option<u8>, reply: bool, part: TupleParts) {
        let Some(protonum) = protonum else {
            return self.add(option, true, Evaluator::Rsct(NEEDS_PROTO));
        };
        let filter = self.filter(reply);
        filter.tuple.protonum = protonum;
        filter.parts = filter.parts.with(TupleParts::PROTO).with(part);
        let Tuple { src_l4, dst_l4, .. } = &mut filter.tuple;
        let bytes = if part == TupleParts::SRC_L4 {
            src_l4
        } else {
            dst_l4
        };
        *bytes = port.to_be_bytes();
        self.add(option, true, Evaluator::Kernel);
    }

    fn filter(&mut self, reply: bool) -> &mut TupleFilter {
        if reply {
            &mut self.query.reply
        } else {
            &mut self.query.orig
        }
    }
}
