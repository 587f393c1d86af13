//! What passed where: packets counted by what they carry, by place, and by what became of them.

use std::{collections::HashMap, hash::BuildHasherDefault};

use rsct_common::{
    Tuple,
    record::{PacketFlags, PacketRecord},
};
use rustc_hash::FxHasher;

use crate::flow::{
    Flow, icmp,
    names::{self, proto},
    observation::Outcome,
    tuples::{headers, inverse},
};

/// How many kinds of passing are kept apart: some hundred bytes each.
const MOST: usize = 1 << 20;

/// Where conntrack met a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// Inode number of the namespace.
    pub netns: u32,
    /// The netfilter hook.
    pub hook: u8,
    /// Index of the interface: the one it came in by, or the one it leaves by.
    pub ifindex: u32,
}

/// Which way a packet goes, for the entry that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Way {
    /// In the original direction.
    Orig,
    /// In the reply direction.
    Reply,
    /// An ICMP error about a packet of the original direction: it belongs to the entry and is no reply
    /// (`IP_CT_RELATED_REPLY`, nf_conntrack_inet_error() in net/netfilter/nf_conntrack_proto_icmp.c).
    Error,
    /// It belongs to the entry, but conntrack refused it and took the entry off: the direction is not known.
    Refused,
    /// It has no entry.
    Alone,
}

/// What packets that are counted together have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Passing {
    /// Where.
    pub place: Place,
    /// What became of them.
    pub outcome: Outcome,
    /// Which way.
    pub way: Way,
    /// The zone of their entry.
    pub zone: u16,
    /// The number of their flow; 0 where they have none.
    pub flow: u64,
    /// The ICMP error that they are.
    pub error: Option<icmp::Error>,
    /// What their headers say. Of those that conntrack refused, their entry's original direction.
    pub headers: Tuple,
}

/// How many there were, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// How many.
    pub packets: u64,
    /// When the first came, on the monotonic clock.
    pub first_ns: u64,
    /// When the last came.
    pub last_ns: u64,
}

/// All that passed.
#[derive(Debug, Default)]
pub struct Sightings {
    seen: HashMap<Passing, Times, BuildHasherDefault<FxHasher>>,
    /// Packets that there was no room to keep apart.
    pub unkept: u64,
}

impl Sightings {
    /// Takes in a packet and the flow that it belongs to.
    pub fn packet(&mut self, record: &PacketRecord, flow: Option<&Flow>) {
        self.passing(passing(record, flow), record.time_ns);
    }

    /// Takes in one that passed.
    pub fn passing(&mut self, passing: Passing, time_ns: u64) {
        if let Some(times) = self.seen.get_mut(&passing) {
            times.packets += 1;
            // Records of several CPUs come as their operations end.
            times.first_ns = times.first_ns.min(time_ns);
            times.last_ns = times.last_ns.max(time_ns);
        } else if self.seen.len() < MOST {
            let times = Times {
                packets: 1,
                first_ns: time_ns,
                last_ns: time_ns,
            };
            self.seen.insert(passing, times);
        } else {
            self.unkept += 1;
        }
    }

    /// All kinds of passing that were seen.
    pub fn iter(&self) -> impl Iterator<Item = (&Passing, &Times)> {
        self.seen.iter()
    }
}

/// What a record's packet is counted under.
fn passing(record: &PacketRecord, flow: Option<&Flow>) -> Passing {
    let outcome = Outcome::of(record);
    let way = way(record, outcome);
    let orig = headers(Tuple::from_words(record.tuple));
    let headers = match way {
        // Where the reply direction is not known, nobody is known to translate.
        Way::Reply | Way::Error => flow
            .and_then(Flow::reply_tuple)
            .map_or_else(|| inverse(&orig), headers),
        Way::Orig | Way::Refused | Way::Alone => orig,
    };
    Passing {
        place: Place {
            netns: record.netns,
            hook: record.hook,
            ifindex: record.ifindex,
        },
        outcome,
        way,
        zone: record.zone,
        flow: flow.map_or(0, |flow| flow.number),
        error: icmp::Error::of(record).filter(|_| way == Way::Error),
        headers,
    }
}

fn way(record: &PacketRecord, outcome: Outcome) -> Way {
    /// `IP_CT_RELATED_REPLY`.
    const RELATED_REPLY: u8 = 4;
    const SYN_ACK: u8 = 2 | 16;
    match outcome {
        Outcome::Untracked => Way::Alone,
        Outcome::Invalid | Outcome::Dropped if record.flags & PacketFlags::BEFORE == 0 => Way::Alone,
        // A connection's first answer has both flags, and nothing else has.
        Outcome::Invalid | Outcome::Dropped if record.has_tcp() && record.tcp_flags & SYN_ACK == SYN_ACK => {
            Way::Reply
        }
        Outcome::Invalid | Outcome::Dropped => Way::Refused,
        Outcome::Created | Outcome::Tracked | Outcome::TrackedAlready => {
            if record.ctinfo == RELATED_REPLY {
                Way::Error
            } else if names::is_reply(record.ctinfo) {
                Way::Reply
            } else {
                Way::Orig
            }
        }
    }
}

/// Whether a packet with these headers comes back to where `reply` would, from an end that is like the one that is to
/// answer in its address or in its port, but not in both.
pub fn comes_back_from_another_end(packet: &Tuple, reply: &Tuple) -> bool {
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
        let orig = passing(&record(PacketFlags::AFTER, 2), None);
        assert_eq!((orig.way, orig.headers), (Way::Orig, udp(1, 1000, 2, 53)));
        let reply = passing(&record(PacketFlags::AFTER, 3), None);
        assert_eq!((reply.way, reply.headers), (Way::Reply, udp(2, 53, 1, 1000)));
        let error = passing(&record(PacketFlags::AFTER, 4), None);
        assert_eq!(error.way, Way::Error);
        let untracked = passing(&record(PacketFlags::UNTRACKED, 7), None);
        assert_eq!(
            (untracked.way, untracked.headers),
            (Way::Alone, udp(1, 1000, 2, 53))
        );
    }

    #[test]
    fn what_is_refused_has_a_direction_only_where_its_flags_tell() {
        assert_eq!(passing(&record(0, 0), None).way, Way::Alone);
        assert_eq!(passing(&record(PacketFlags::BEFORE, 0), None).way, Way::Refused);
        let syn_ack = PacketRecord {
            tcp_flags: 0x12,
            ..record(PacketFlags::BEFORE | PacketFlags::HEADER, 0)
        };
        assert_eq!(passing(&syn_ack, None).way, Way::Reply);
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
    fn another_end_is_like_the_one_that_is_to_answer() {
        let reply = udp(2, 53, 1, 1000);
        for (packet, is_it) in [
            (udp(2, 53, 1, 1000), false),
            (udp(3, 53, 1, 1000), true),
            (udp(2, 54, 1, 1000), true),
            (udp(3, 54, 1, 1000), false),
            (udp(3, 53, 1, 1001), false),
            (udp(3, 53, 4, 1000), false),
        ] {
            assert_eq!(comes_back_from_another_end(&packet, &reply), is_it, "{packet:?}");
        }
    }
}
