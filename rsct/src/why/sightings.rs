//! Packets counted by headers, hook, interface and outcome.

use std::{collections::HashMap, hash::BuildHasherDefault};

use rsct_common::{
    Tuple,
    record::{PacketFlags, PacketRecord},
};
use rustc_hash::FxHasher;

use crate::{
    flow::{
        Flow, HookPoint, icmp,
        outcome::Outcome,
        tuples::{headers, inverse},
    },
    names::{self, info, proto},
};

/// The largest number of groups, of about a hundred bytes each.
const MOST: usize = 1 << 20;

/// Direction of a packet, as seen from its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum PacketDirection {
    /// In the original direction.
    Orig,
    /// In the reply direction.
    Reply,
    /// An ICMP error about a packet of the original direction: it belongs to the entry and is no reply
    /// (`IP_CT_RELATED_REPLY`, nf_conntrack_inet_error() in net/netfilter/nf_conntrack_proto_icmp.c).
    Error,
    /// It belongs to the entry, but conntrack refused it and detached the entry: the direction is not known.
    Refused,
    /// It has no entry.
    NoEntry,
}

/// The common properties of packets that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PacketGroup {
    /// Hook and interface.
    pub place: HookPoint,
    /// Conntrack's outcome.
    pub outcome: Outcome,
    /// Their direction.
    pub direction: PacketDirection,
    /// The zone of their entry.
    pub zone: u16,
    /// The number of their flow; 0 if they have none.
    pub flow: u64,
    /// The ICMP error, if they are one.
    pub error: Option<icmp::Error>,
    /// Their headers; for refused packets the original direction of their entry.
    pub headers: Tuple,
}

/// Number of packets, and the times of the first and last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Times {
    /// Number of packets.
    pub packets: u64,
    /// Time of the first, on the monotonic clock.
    pub first_ns: u64,
    /// Time of the last.
    pub last_ns: u64,
}

/// All groups of packets.
#[derive(Debug, Default)]
pub(crate) struct Sightings {
    seen: HashMap<PacketGroup, Times, BuildHasherDefault<FxHasher>>,
    /// Packets not counted because there were too many groups.
    pub unkept: u64,
}

impl Sightings {
    /// Counts a packet of this flow.
    pub(crate) fn packet(&mut self, record: &PacketRecord, flow: Option<&Flow>) {
        self.count(group_of(record, flow), record.time_ns);
    }

    /// Counts a packet of this group.
    pub(crate) fn count(&mut self, group: PacketGroup, time_ns: u64) {
        if let Some(times) = self.seen.get_mut(&group) {
            times.packets += 1;
            // Records of several CPUs are not in order of time.
            times.first_ns = times.first_ns.min(time_ns);
            times.last_ns = times.last_ns.max(time_ns);
        } else if self.seen.len() < MOST {
            let times = Times {
                packets: 1,
                first_ns: time_ns,
                last_ns: time_ns,
            };
            self.seen.insert(group, times);
        } else {
            self.unkept += 1;
        }
    }

    /// Every group.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&PacketGroup, &Times)> {
        self.seen.iter()
    }
}

/// The group of a record's packet.
fn group_of(record: &PacketRecord, flow: Option<&Flow>) -> PacketGroup {
    let outcome = Outcome::of(record);
    let direction = direction_of(record, outcome);
    let orig = headers(Tuple::from_words(record.tuple));
    let headers = match direction {
        // If the reply direction is not known, no NAT is known either.
        PacketDirection::Reply | PacketDirection::Error => flow
            .and_then(Flow::reply_tuple)
            .map_or_else(|| inverse(&orig), headers),
        PacketDirection::Orig | PacketDirection::Refused | PacketDirection::NoEntry => orig,
    };
    PacketGroup {
        place: HookPoint {
            netns: record.netns,
            hook: record.hook,
            ifindex: record.ifindex,
        },
        outcome,
        direction,
        zone: record.zone,
        flow: flow.map_or(0, |flow| flow.number),
        error: icmp::Error::of(record).filter(|_| direction == PacketDirection::Error),
        headers,
    }
}

fn direction_of(record: &PacketRecord, outcome: Outcome) -> PacketDirection {
    const SYN_ACK: u8 = 2 | 16;
    match outcome {
        Outcome::Untracked => PacketDirection::NoEntry,
        Outcome::Invalid | Outcome::Dropped if record.flags & PacketFlags::BEFORE == 0 => {
            PacketDirection::NoEntry
        }
        // Only the first reply of a connection has both flags.
        Outcome::Invalid | Outcome::Dropped if record.has_tcp() && record.tcp_flags & SYN_ACK == SYN_ACK => {
            PacketDirection::Reply
        }
        Outcome::Invalid | Outcome::Dropped => PacketDirection::Refused,
        Outcome::Created | Outcome::Tracked | Outcome::TrackedAlready => {
            if record.ctinfo == info::RELATED_REPLY {
                PacketDirection::Error
            } else if names::is_reply(record.ctinfo) {
                PacketDirection::Reply
            } else {
                PacketDirection::Orig
            }
        }
    }
}

/// Returns whether a packet has the destination of the expected `reply`, and shares with it either the source address or
/// the source port.
pub(crate) fn is_reply_from_another_end(packet: &Tuple, reply: &Tuple) -> bool {
    proto::has_ports(packet.protonum)
        && packet.protonum == reply.protonum
        && packet.l3num == reply.l3num
        && packet.dst == reply.dst
        && packet.dst_l4 == reply.dst_l4
        && (packet.src == reply.src) != (packet.src_l4 == reply.src_l4)
}

#[cfg(test)]
mod tests {
    use rsct_common::record::PacketRecord;

    use super::*;

    fn udp(src: u8, sport: u16, dst: u8, dport: u16) -> Tuple {
        let mut tuple = Tuple {
            protonum: proto::UDP,
            l3num: 2u16.to_ne_bytes(),
            src_l4: sport.to_be_bytes(),
            dst_l4: dport.to_be_bytes(),
            ..Tuple::default()
        };
        (tuple.src[3], tuple.dst[3]) = (src, dst);
        tuple
    }

    fn record(flags: u16, ctinfo: u8) -> PacketRecord {
        PacketRecord {
            verdict: 1,
            flags,
            ctinfo,
            status_after: names::status::CONFIRMED,
            tuple: udp(1, 1000, 2, 53).to_words(),
            ..PacketRecord::default()
        }
    }

    #[test]
    fn headers_are_those_of_the_packets_own_direction() {
        let orig = group_of(&record(PacketFlags::AFTER, 2), None);
        assert_eq!(
            (orig.direction, orig.headers),
            (PacketDirection::Orig, udp(1, 1000, 2, 53))
        );
        let reply = group_of(&record(PacketFlags::AFTER, 3), None);
        assert_eq!(
            (reply.direction, reply.headers),
            (PacketDirection::Reply, udp(2, 53, 1, 1000))
        );
        let error = group_of(&record(PacketFlags::AFTER, 4), None);
        assert_eq!(error.direction, PacketDirection::Error);
        let untracked = group_of(&record(PacketFlags::UNTRACKED, 7), None);
        assert_eq!(
            (untracked.direction, untracked.headers),
            (PacketDirection::NoEntry, udp(1, 1000, 2, 53))
        );
    }

    #[test]
    fn a_refused_packet_has_a_direction_only_if_its_flags_show_it() {
        assert_eq!(group_of(&record(0, 0), None).direction, PacketDirection::NoEntry);
        assert_eq!(
            group_of(&record(PacketFlags::BEFORE, 0), None).direction,
            PacketDirection::Refused
        );
        let syn_ack = PacketRecord {
            tcp_flags: 0x12,
            ..record(PacketFlags::BEFORE | PacketFlags::HEADER, 0)
        };
        assert_eq!(group_of(&syn_ack, None).direction, PacketDirection::Reply);
    }

    #[test]
    fn packets_are_counted_with_their_first_and_last_time() {
        let mut sightings = Sightings::default();
        for time_ns in [5, 3, 9] {
            let record = PacketRecord {
                time_ns,
                ..record(PacketFlags::AFTER, 2)
            };
            sightings.packet(&record, None);
        }
        let (_, times) = sightings.iter().next().unwrap();
        let expected = Times {
            packets: 3,
            first_ns: 3,
            last_ns: 9,
        };
        assert_eq!(*times, expected);
        assert_eq!(sightings.iter().count(), 1);
    }

    #[test]
    fn another_end_shares_the_address_or_the_port() {
        let reply = udp(2, 53, 1, 1000);
        for (packet, is_it) in [
            (udp(2, 53, 1, 1000), false),
            (udp(3, 53, 1, 1000), true),
            (udp(2, 54, 1, 1000), true),
            (udp(3, 54, 1, 1000), false),
            (udp(3, 53, 1, 1001), false),
            (udp(3, 53, 4, 1000), false),
        ] {
            assert_eq!(is_reply_from_another_end(&packet, &reply), is_it, "{packet:?}");
        }
    }
}
