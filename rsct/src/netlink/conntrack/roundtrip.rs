//! Written attributes have the kernel's format: comparison with captured bytes, and round trips.

use std::collections::BTreeMap;

use proptest::prelude::*;
use rsct_common::Tuple;

use super::{samples::*, timestamps::Timestamps, *};
use crate::{
    family::Family,
    netlink::{attr::Attrs, emit::Emitter},
};

fn entry_bytes(entry: &Entry<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    entry.emit(&mut Emitter::new(&mut bytes));
    bytes
}

fn change_bytes(change: &Change<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    change.emit(&mut Emitter::new(&mut bytes));
    bytes
}

/// Attributes by type: their order is not significant.
fn by_kind(attributes: &[u8]) -> BTreeMap<u16, Vec<u8>> {
    Attrs::new(attributes)
        .map(Result::unwrap)
        .map(|attr| (attr.kind, attr.payload.to_vec()))
        .collect()
}

#[test]
fn entries_are_written_as_the_kernel_does() {
    for sample in ALL {
        let payload = sample.payload();
        let entry = Entry::parse(&payload).unwrap();
        assert_eq!(
            by_kind(&entry_bytes(&entry)),
            by_kind(&payload[4..]),
            "{}",
            sample.line
        );
    }
}

#[test]
fn an_unknown_attribute_is_written_again() {
    let mut payload = TCP.payload();
    payload.extend([7, 0, 0xf4, 1, 1, 2, 3, 0]);
    let entry = Entry::parse(&payload).unwrap();
    assert_eq!(by_kind(&entry_bytes(&entry))[&500], [1, 2, 3]);
}

/// The attributes of `conntrack -I -p tcp -s 192.0.2.1 -d 192.0.2.2 --sport 1234 --dport 80 --state ESTABLISHED -t 300
/// -u ASSURED,SEEN_REPLY -m 0x2a -n 203.0.113.9`, by `strace -xx`; its padding is not always zero.
const CREATE_TCP: &str = "34000180140001800800010 0c000020108000200c00002021c000280050001000600000006000200\
    04d200000600030000500000 34000280140001800800010 0c000020208000200c00002011c000280050001000610000006000200\
    005000000600030004d20000 080003000000000e 080007000000012c 080008000000002a\
    200004801c0001800500010003100000060004000a0a0000060005000a0a0000 0c00068008000100cb007109";
/// As above, of `conntrack -I -p udp -s 2001:db8::1 -d 2001:db8::2 --sport 1234 --dport 80 -t 300 -g
/// 2001:db8::9 --orig-zone 3`.
const CREATE_UDP6: &str = "540001802c0001801400030020010db800000000000000000000000114000400\
    20010db80000000000000000000000021c000280050001001100000006000200 04d20000060003000050000006000300 00030000\
    4c0002802c0001801400030020010db800000000000000000000000214000400\
    20010db80000000000000000000000011c000280050001001110000006000200 00500000060003000 4d20000\
    080007000000012c 18000d801400040020010db8000000000000000000000009";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|digit| !digit.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn tuple(src: &[u8], dst: &[u8], ports: (u16, u16), protonum: u8, dir: u8) -> Tuple {
    let family = if src.len() == 4 {
        Family::Ipv4
    } else {
        Family::Ipv6
    };
    let mut tuple = Tuple {
        l3num: u16::from(family as u8).to_ne_bytes(),
        src_l4: ports.0.to_be_bytes(),
        dst_l4: ports.1.to_be_bytes(),
        protonum,
        dir,
        ..Tuple::default()
    };
    tuple.src[..src.len()].copy_from_slice(src);
    tuple.dst[..dst.len()].copy_from_slice(dst);
    tuple
}

#[test]
fn a_conntrack_request_is_parsed_and_written() {
    let (a, b) = ([192, 0, 2, 1], [192, 0, 2, 2]);
    let flags = TcpFlags { flags: 10, mask: 10 };
    let expected = Change {
        orig: Some(tuple(&a, &b, (1234, 80), 6, 0)),
        reply: Some(tuple(&b, &a, (80, 1234), 6, 1)),
        status: Some(0x0e),
        timeout: Some(300),
        mark: Some(0x2a),
        protoinfo: Some(ProtoInfo::Tcp(Tcp {
            state: Some(3),
            flags_orig: Some(flags),
            flags_reply: Some(flags),
            ..Tcp::default()
        })),
        nat_src: Some(Nat::to(Some([203, 0, 113, 9].into()), None)),
        ..Change::default()
    };
    let captured = bytes(CREATE_TCP);
    assert_eq!(Change::parse(&captured).unwrap(), expected);
    assert_eq!(change_bytes(&expected).len(), captured.len());
    assert_eq!(expected.family(), 2);
}

#[test]
fn a_conntrack_request_with_ipv6_and_a_zone_of_one_direction() {
    let captured = bytes(CREATE_UDP6);
    let change = Change::parse(&captured).unwrap();
    assert_eq!(
        (change.zone, change.zone_orig, change.zone_reply),
        (None, Some(3), None)
    );
    let nat: std::net::IpAddr = "2001:db8::9".parse().unwrap();
    assert_eq!(change.nat_dst, Some(Nat::to(Some(nat), None)));
    assert_eq!(change.family(), 10);
    let written = change_bytes(&change);
    assert_eq!(written.len(), captured.len());
    assert_eq!(Change::parse(&written).unwrap(), change);
}

/// `CTA_FILTER` in the format that ctnetlink_parse_filter() and ctnetlink_parse_tuple_filter() in
/// net/netfilter/nf_conntrack_netlink.c read.
#[test]
fn a_filter_has_flags_for_its_parts() {
    let mut filter = DumpFilter {
        family: Some(Family::Ipv4),
        status: Some(MaskedU32 { value: 4, mask: 6 }),
        ..DumpFilter::default()
    };
    filter.orig.tuple = tuple(&[0; 4], &[10, 0, 0, 5], (0, 443), 6, 0);
    filter.orig.parts = TupleParts::DST.with(TupleParts::PROTO).with(TupleParts::DST_L4);
    let mut written = Vec::new();
    filter.emit(&mut Emitter::new(&mut written));
    let expected = "0800030000000004 08001a0000000006\
        24000180 0c000180 080002000a000005 14000280 0500010006000000 0600030001bb0000\
        14001980 080001002a000000 0800020000000000";
    assert_eq!(written, bytes(expected));
}

#[test]
fn icmp_has_flags_of_its_own_in_a_filter() {
    let mut filter = DumpFilter::default();
    filter.reply.tuple = tuple(&[0; 4], &[0; 4], (7, 0x0800), 1, 0);
    filter.reply.parts = TupleParts::PROTO
        .with(TupleParts::SRC_L4)
        .with(TupleParts::DST_L4);
    let mut written = Vec::new();
    filter.emit(&mut Emitter::new(&mut written));
    assert!(written.ends_with(&bytes("08000200c8010000")), "{written:02x?}");
}

fn any_tuple(dir: u8) -> impl Strategy<Value = Tuple> {
    let protocols = prop::sample::select(vec![1u8, 6, 17, 33, 47, 50, 58, 132, 136]);
    (
        any::<bool>(),
        any::<[u8; 16]>(),
        any::<[u8; 16]>(),
        any::<(u16, u16)>(),
        protocols,
    )
        .prop_map(move |(v6, src, dst, l4, protonum)| {
            let bytes = if v6 { 16 } else { 4 };
            let l4 = if protonum == 50 { (0, 0) } else { l4 };
            tuple(&src[..bytes], &dst[..bytes], l4, protonum, dir)
        })
}

fn any_flags() -> impl Strategy<Value = Option<TcpFlags>> {
    prop::option::of(any::<(u8, u8)>().prop_map(|(flags, mask)| TcpFlags { flags, mask }))
}

fn any_protoinfo() -> impl Strategy<Value = ProtoInfo> {
    let tcp = (any::<[Option<u8>; 3]>(), any_flags(), any_flags()).prop_map(
        |([state, wscale_orig, wscale_reply], flags_orig, flags_reply)| {
            ProtoInfo::Tcp(Tcp {
                state,
                wscale_orig,
                wscale_reply,
                flags_orig,
                flags_reply,
            })
        },
    );
    let sctp = any::<(Option<u8>, [Option<u32>; 2])>().prop_map(|(state, [vtag_orig, vtag_reply])| {
        ProtoInfo::Sctp(Sctp {
            state,
            vtag_orig,
            vtag_reply,
        })
    });
    let dccp = any::<(Option<u8>, Option<bool>, Option<u64>)>().prop_map(|(state, server, handshake_seq)| {
        ProtoInfo::Dccp(Dccp {
            state,
            role: server.map(|server| {
                if server {
                    DccpRole::Server
                } else {
                    DccpRole::Client
                }
            }),
            handshake_seq,
        })
    });
    prop_oneof![tcp, sctp, dccp]
}

fn any_nat() -> impl Strategy<Value = Nat> {
    (
        any::<bool>(),
        any::<[Option<u128>; 2]>(),
        any::<[Option<u16>; 2]>(),
    )
        .prop_map(|(v6, addrs, ports)| {
            let addr = |addr: u128| -> std::net::IpAddr {
                if v6 {
                    addr.to_be_bytes().into()
                } else {
                    (addr as u32).to_be_bytes().into()
                }
            };
            let [addr_min, addr_max] = addrs.map(|bits| bits.map(addr));
            let [port_min, port_max] = ports;
            Nat {
                addr_min,
                addr_max,
                port_min,
                port_max,
            }
        })
}

fn any_seqadj() -> impl Strategy<Value = SeqAdj> {
    any::<(u32, i32, i32)>().prop_map(|(correction_pos, offset_before, offset_after)| SeqAdj {
        correction_pos,
        offset_before,
        offset_after,
    })
}

/// Names without a zero byte.
fn any_name() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(1u8.., 0..16)
}

prop_compose! {
    fn any_numbers()(numbers in any::<[Option<u32>; 5]>(), zones in any::<[Option<u16>; 3]>())
        -> ([Option<u32>; 5], [Option<u16>; 3]) { (numbers, zones) }
}

proptest! {
    #[test]
    fn a_change_is_read_back(
        tuples in (prop::option::of(any_tuple(0)), prop::option::of(any_tuple(1)), prop::option::of(any_tuple(0))),
        ([status, timeout, mark, mark_mask, id], [zone, zone_orig, zone_reply]) in any_numbers(),
        protoinfo in prop::option::of(any_protoinfo()),
        name in prop::option::of(any_name()),
        nats in (prop::option::of(any_nat()), prop::option::of(any_nat())),
        labels in prop::option::of(prop::collection::vec(any::<u8>(), 16)),
        seqadjs in (prop::option::of(any_seqadj()), prop::option::of(any_seqadj())),
        synproxy in any::<Option<(u32, u32, u32)>>(),
    ) {
        let change = Change {
            orig: tuples.0,
            zone_orig: zone_orig.filter(|_| tuples.0.is_some()),
            reply: tuples.1,
            zone_reply: zone_reply.filter(|_| tuples.1.is_some()),
            zone, status, timeout, mark, mark_mask, protoinfo,
            helper: name.as_deref().map(|name| Helper { name, info: None }),
            nat_src: nats.0,
            nat_dst: nats.1,
            labels: labels.as_deref(),
            labels_mask: labels.as_deref(),
            seqadj_orig: seqadjs.0,
            seqadj_reply: seqadjs.1,
            synproxy: synproxy.map(|(isn, its, tsoff)| Synproxy { isn, its, tsoff }),
            master: tuples.2,
            id,
        };
        let bytes = change_bytes(&change);
        prop_assert_eq!(bytes.len() % 4, 0);
        prop_assert_eq!(Change::parse(&bytes).unwrap(), change);
    }

    #[test]
    fn an_entry_is_read_back(
        orig in any_tuple(0),
        reply in any_tuple(1),
        ([status, timeout, mark, use_count, id], [zone, zone_orig, zone_reply]) in any_numbers(),
        protoinfo in prop::option::of(any_protoinfo()),
        counters in any::<Option<[u64; 4]>>(),
        times in any::<[Option<u64>; 3]>(),
        name in prop::option::of(any_name()),
        secctx in prop::option::of(any_name()),
        labels in prop::option::of(prop::collection::vec(any::<u8>(), 16)),
        adj in prop::option::of(any_seqadj()),
        master in prop::option::of(any_tuple(0)),
    ) {
        let minimal = GRE.payload();
        let mut entry = Entry::parse(&minimal).unwrap();
        (entry.orig, entry.reply, entry.master) = (orig, reply, master);
        (entry.zone, entry.zone_orig, entry.zone_reply) = (zone, zone_orig, zone_reply);
        (entry.status, entry.timeout, entry.mark, entry.use_count, entry.id) = (status, timeout, mark, use_count, id);
        entry.secmark = mark;
        entry.protoinfo = protoinfo;
        entry.counters_orig = counters.map(|[packets, bytes, ..]| Counters { packets, bytes });
        entry.counters_reply = counters.map(|[.., packets, bytes]| Counters { packets, bytes });
        let [start_ns, stop_ns, event_ns] = times;
        entry.timestamps = Some(Timestamps { start_ns, stop_ns });
        entry.event_ns = event_ns;
        entry.helper = name.as_deref().map(|name| Helper { name, info: None });
        entry.secctx = secctx.as_deref();
        entry.labels = labels.as_deref();
        (entry.seqadj_orig, entry.seqadj_reply) = (adj, adj);
        entry.synproxy = Some(Synproxy { isn: 1, its: 2, tsoff: 3 });
        let bytes = [vec![2, 0, 0, 0], entry_bytes(&entry)].concat();
        let again = Entry::parse(&bytes).unwrap();
        // The two keep different bytes in unused fields; all visible fields must be equal.
        prop_assert_eq!(by_kind(&entry_bytes(&again)), by_kind(&bytes[4..]));
        prop_assert_eq!((again.orig, again.reply, again.zone_orig), (entry.orig, entry.reply, entry.zone_orig));
        prop_assert_eq!((again.protoinfo, again.helper, again.secctx), (entry.protoinfo, entry.helper, entry.secctx));
        prop_assert_eq!((again.timestamps, again.counters_orig), (entry.timestamps, entry.counters_orig));
        prop_assert_eq!((again.labels, again.seqadj_orig, again.master), (entry.labels, adj, master));
    }

    #[test]
    fn hostile_requests_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Change::parse(&bytes);
    }
}
