use proptest::prelude::*;
use rsct_common::Tuple;

use super::{samples::*, *};
use crate::family::Family;

fn tuple(src: &[u8], dst: &[u8], src_l4: [u8; 2], dst_l4: [u8; 2], protonum: u8, dir: u8) -> Tuple {
    let family: u16 = if src.len() == 4 { 2 } else { 10 };
    let mut tuple = Tuple {
        l3num: family.to_ne_bytes(),
        src_l4,
        dst_l4,
        protonum,
        dir,
        ..Tuple::default()
    };
    tuple.src[..src.len()].copy_from_slice(src);
    tuple.dst[..dst.len()].copy_from_slice(dst);
    tuple
}

#[test]
fn tcp() {
    let payload = TCP.payload();
    let entry = Entry::parse(&payload).unwrap();
    let (a, b) = ([192, 0, 2, 1], [192, 0, 2, 2]);
    assert_eq!(entry.orig, tuple(&a, &b, [4, 210], [0, 80], 6, 0));
    assert_eq!(entry.reply, tuple(&b, &a, [0, 80], [4, 210], 6, 1));
    assert_eq!(entry.family(), Some(Family::Ipv4));
    assert_eq!(
        (entry.zone, entry.zone_orig, entry.zone_reply),
        (Some(7), None, None)
    );
    assert_eq!(
        (entry.status, entry.timeout, entry.mark),
        (Some(0x0e), Some(299), Some(0x2a))
    );
    assert_eq!((entry.use_count, entry.id), (Some(1), Some(892925916)));
    assert_eq!(entry.counters_orig, Some(Counters { packets: 0, bytes: 0 }));
    assert_eq!(entry.timestamps.unwrap().start_ns, Some(1795401554590943928));
    let flags = Some(TcpFlags { flags: 10, mask: 0 });
    let expected = Tcp {
        state: Some(3),
        wscale_orig: Some(0),
        wscale_reply: Some(0),
        flags_orig: flags,
        flags_reply: flags,
    };
    assert_eq!(entry.protoinfo, Some(ProtoInfo::Tcp(expected)));
    assert_eq!(entry.synproxy, Some(Synproxy::default()));
    assert_eq!(entry.unknown().count(), 0);
}

#[test]
fn icmpv6() {
    let payload = ICMPV6.payload();
    let entry = Entry::parse(&payload).unwrap();
    let mut a = [0; 16];
    a[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
    let mut b = a;
    (a[15], b[15]) = (1, 2);
    assert_eq!(entry.orig, tuple(&a, &b, [0, 77], [128, 0], 58, 0));
    assert_eq!(entry.reply, tuple(&b, &a, [0, 77], [129, 0], 58, 1));
}

#[test]
fn sctp_in_a_zone_of_one_direction() {
    let payload = SCTP.payload();
    let entry = Entry::parse(&payload).unwrap();
    let expected = Sctp {
        state: Some(4),
        // conntrack 1.4.7 reverses the bytes of the tags on its command line.
        vtag_orig: Some(17 << 24),
        vtag_reply: Some(34 << 24),
    };
    assert_eq!(entry.protoinfo, Some(ProtoInfo::Sctp(expected)));
    assert_eq!(
        (entry.zone, entry.zone_orig, entry.zone_reply),
        (None, Some(3), None)
    );
    assert_eq!((entry.both_directions_zone(), entry.zone_number()), (0, 3));
}

#[test]
fn gre_translated() {
    let payload = GRE.payload();
    let entry = Entry::parse(&payload).unwrap();
    let (a, b, nat) = ([192, 0, 2, 1], [192, 0, 2, 2], [203, 0, 113, 9]);
    assert_eq!(entry.orig, tuple(&a, &b, [0, 11], [0, 20], 47, 0));
    assert_eq!(entry.reply, tuple(&b, &nat, [0, 20], [0, 11], 47, 1));
}

#[test]
fn helper_labels_and_counters() {
    let payload = FTP.payload();
    let entry = Entry::parse(&payload).unwrap();
    assert_eq!(
        entry.helper,
        Some(Helper {
            name: b"ftp",
            info: None
        })
    );
    assert_eq!(entry.label_bits().collect::<Vec<_>>(), [3, 127]);
    assert_eq!(
        entry.counters_orig,
        Some(Counters {
            packets: 4,
            bytes: 219
        })
    );
}

/// An attribute with its header and padding.
fn attr(kind: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 4).unwrap();
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(payload);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Numbers from include/uapi/linux/netfilter/nfnetlink_conntrack.h, for attributes that no command above
/// makes the kernel send.
#[test]
fn rare_attributes() {
    let mut payload = GRE.payload();
    let be = |n: u32| n.to_be_bytes();
    let orig_tuple = attr(14, &payload[8..4 + 0x34]);
    let seqadj = [attr(1, &be(9)), attr(2, &be(5)), attr(3, &(-5i32).to_be_bytes())].concat();
    let dccp = [attr(1, &[4]), attr(2, &[1]), attr(3, &7u64.to_be_bytes())].concat();
    payload.extend(orig_tuple);
    payload.extend(attr(15, &seqadj));
    payload.extend(attr(16, &seqadj));
    payload.extend(attr(17, &be(12)));
    payload.extend(attr(19, &attr(1, b"system_u\0")));
    payload.extend(attr(
        24,
        &[attr(1, &be(1)), attr(2, &be(2)), attr(3, &be(3))].concat(),
    ));
    payload.extend(attr(4, &attr(2, &dccp)));
    payload.extend(attr(27, &8u64.to_be_bytes()));
    payload.extend(attr(5, &[attr(1, b"x\0"), attr(2, &[9])].concat()));
    payload.extend(attr(500, &[1]));
    let entry = Entry::parse(&payload).unwrap();
    assert_eq!(entry.master, Some(entry.orig));
    let adj = SeqAdj {
        correction_pos: 9,
        offset_before: 5,
        offset_after: -5,
    };
    assert_eq!((entry.seqadj_orig, entry.seqadj_reply), (Some(adj), Some(adj)));
    assert_eq!((entry.secmark, entry.secctx), (Some(12), Some(&b"system_u"[..])));
    assert_eq!(
        entry.synproxy,
        Some(Synproxy {
            isn: 1,
            its: 2,
            tsoff: 3
        })
    );
    let dccp = Dccp {
        state: Some(4),
        role: Some(DccpRole::Server),
        handshake_seq: Some(7),
    };
    assert_eq!(entry.protoinfo, Some(ProtoInfo::Dccp(dccp)));
    assert_eq!(entry.event_ns, Some(8));
    assert_eq!(
        entry.helper,
        Some(Helper {
            name: b"x",
            info: Some(&[9])
        })
    );
    let unknown: Vec<_> = entry.unknown().map(|a| (a.kind, a.payload)).collect();
    assert_eq!(unknown, [(500, &[1][..])]);
}

#[test]
fn a_message_cut_anywhere_is_an_entry_or_an_error() {
    for sample in ALL {
        let payload = sample.payload();
        for length in 0..payload.len() {
            // A message cut between two attributes is a valid entry with fewer of them.
            if let Ok(entry) = Entry::parse(&payload[..length]) {
                assert_eq!(entry.orig, Entry::parse(&payload).unwrap().orig);
            }
        }
    }
}

#[test]
fn errors_name_the_attribute() {
    let message = |payload: &[u8]| Entry::parse(payload).unwrap_err().to_string();
    assert_eq!(
        message(&[0; 3]),
        "a conntrack message's header is cut to 3 of 4 bytes"
    );
    assert_eq!(message(&[0; 4]), "a conntrack message lacks CTA_TUPLE_ORIG");
    let short = [&[2, 0, 0, 0][..], &attr(8, &[1, 2])].concat();
    assert_eq!(
        message(&short),
        "CTA_MARK of a conntrack message is malformed: attribute 8 has 2 bytes instead of 4"
    );
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(entry) = Entry::parse(&bytes) {
            let _ = (entry.unknown().count(), entry.label_bits().count());
        }
    }

    #[test]
    fn mutated_messages_never_panic(
        which in 0..ALL.len(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = ALL[which].payload();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(entry) = Entry::parse(&bytes) {
            let mut out = Vec::new();
            crate::render::conntrack_line::line(&mut out, &entry, Default::default(), 0);
            prop_assert!(out.ends_with(b"\n"));
            out.clear();
            crate::render::json::entry(&mut out, &entry, &Default::default(), None);
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
        }
    }
}
