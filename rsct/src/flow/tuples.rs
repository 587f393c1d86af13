//! Inverted tuples: the headers of a packet that answers another.

use rsct_common::Tuple;

use crate::names::proto;

/// ICMP's query types, each with its reply type (`invmap` in net/netfilter/nf_conntrack_proto_icmp.c).
const ICMP_ANSWERS: [(u8, u8); 4] = [(8, 0), (13, 14), (15, 16), (17, 18)];
/// ICMPv6's query types, likewise (net/netfilter/nf_conntrack_proto_icmpv6.c).
const ICMPV6_ANSWERS: [(u8, u8); 2] = [(128, 129), (139, 140)];

/// ICMP's or ICMPv6's query types, each with its reply type. Conntrack creates entries for these alone.
pub(crate) fn icmp_answers(protonum: u8) -> &'static [(u8, u8)] {
    match protonum {
        proto::ICMP => &ICMP_ANSWERS,
        _ => &ICMPV6_ANSWERS,
    }
}

/// The reply type of a query type, or the query type of a reply type.
pub(crate) fn icmp_answer(protonum: u8, icmp_type: u8) -> Option<u8> {
    icmp_answers(protonum)
        .iter()
        .find_map(|(query, answer)| match icmp_type {
            t if t == *query => Some(*answer),
            t if t == *answer => Some(*query),
            _ => None,
        })
}

/// The tuple without its direction: tuples of packets with the same headers are equal.
pub(crate) fn headers(tuple: Tuple) -> Tuple {
    Tuple { dir: 0, ..tuple }
}

/// The headers of the answer to a packet, without NAT (`nf_ct_invert_tuple`).
pub(crate) fn inverse(tuple: &Tuple) -> Tuple {
    let (src_l4, dst_l4) = if proto::is_icmp(tuple.protonum) {
        let (icmp_type, code) = tuple.icmp_type_code();
        let answer = icmp_answer(tuple.protonum, icmp_type).unwrap_or(icmp_type);
        (tuple.src_l4, [answer, code])
    } else {
        (tuple.dst_l4, tuple.src_l4)
    };
    Tuple {
        src: tuple.dst,
        src_l4,
        l3num: tuple.l3num,
        dst: tuple.src,
        dst_l4,
        protonum: tuple.protonum,
        dir: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tuple(protonum: u8, src_l4: [u8; 2], dst_l4: [u8; 2]) -> Tuple {
        Tuple {
            src: [1; 16],
            dst: [2; 16],
            src_l4,
            dst_l4,
            protonum,
            ..Tuple::default()
        }
    }

    #[test]
    fn inverting_twice_restores_the_tuple() {
        for (protonum, src_l4, dst_l4) in [
            (proto::UDP, [1, 2], [3, 4]),
            (proto::GRE, [0, 7], [0, 9]),
            (proto::ICMP, [0, 77], [8, 0]),
            (proto::ICMPV6, [0, 77], [129, 0]),
            (50, [0, 0], [0, 0]),
        ] {
            let tuple = tuple(protonum, src_l4, dst_l4);
            assert_ne!(inverse(&tuple), tuple);
            assert_eq!(inverse(&inverse(&tuple)), tuple);
        }
    }

    #[test]
    fn an_echo_reply_has_the_same_id() {
        let answer = inverse(&tuple(proto::ICMP, [0, 77], [8, 0]));
        assert_eq!(answer.icmp_type_code(), (0, 0));
        assert_eq!(answer.src_port(), 77);
    }
}
