use proptest::prelude::*;
use rsct_common::Tuple;

use super::{expectation::Nat, samples::*, *};
use crate::{
    family::Family,
    netlink::{attr::AttrError, conntrack::DecodeError, emit::Emitter},
};

fn tuple(src: [u8; 4], dst: [u8; 4], protonum: u8, ports: (u16, u16)) -> Tuple {
    let mut tuple = Tuple {
        l3num: 2u16.to_ne_bytes(),
        protonum,
        src_l4: ports.0.to_be_bytes(),
        dst_l4: ports.1.to_be_bytes(),
        ..Tuple::default()
    };
    tuple.src[..4].copy_from_slice(&src);
    tuple.dst[..4].copy_from_slice(&dst);
    tuple
}

fn attributes(expectation: &Expectation<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    expectation.emit(&mut Emitter::new(&mut bytes));
    bytes
}

const HERE: [u8; 4] = [127, 0, 0, 1];
const ONES: [u8; 4] = [255; 4];

#[test]
fn an_expectation_of_the_ftp_helper() {
    let payload = FTP.payload();
    let expectation = Expectation::parse(&payload).unwrap();
    assert_eq!(expectation.tuple, tuple(HERE, HERE, 6, (0, 51213)));
    assert_eq!(expectation.mask, tuple(ONES, ONES, 6, (0, 65535)));
    assert_eq!(expectation.master, tuple(HERE, HERE, 6, (39734, 21)));
    assert_eq!(expectation.family(), Some(Family::Ipv4));
    assert_eq!(
        (expectation.timeout, expectation.id),
        (Some(299), Some(0x3d2633ea))
    );
    assert_eq!((expectation.flags, expectation.class), (Some(0), Some(0)));
    assert_eq!(expectation.helper, Some(&b"ftp"[..]));
    assert_eq!(
        (expectation.zone, expectation.nat, expectation.function),
        (None, None, None)
    );
    assert_eq!(expectation.unknown().count(), 0);
}

#[test]
fn one_of_a_translated_master() {
    let payload = TRANSLATED.payload();
    let expectation = Expectation::parse(&payload).unwrap();
    let expected = Nat {
        dir: 0,
        tuple: tuple([0; 4], [0; 4], 6, (51213, 0)),
    };
    assert_eq!(expectation.nat, Some(expected));
    assert_eq!(expectation.function, Some(&b"nat-follow-master"[..]));
}

#[test]
fn flags_have_names() {
    let payload = PERMANENT.payload();
    let expectation = Expectation::parse(&payload).unwrap();
    assert_eq!(expectation.flags, Some(flags::PERMANENT));
    assert_eq!(expectation.master.protonum, 6);
    assert_eq!(expectation.mask, tuple([255, 255, 0, 0], ONES, 17, (0, 65535)));
    assert_eq!(flags::names(6).collect::<Vec<_>>(), ["INACTIVE", "USERSPACE"]);
}

#[test]
fn expectations_are_written_as_the_kernel_does() {
    for sample in ALL {
        let payload = sample.payload();
        let expectation = Expectation::parse(&payload).unwrap();
        assert_eq!(attributes(&expectation), payload[4..], "{}", sample.line);
    }
}

#[test]
fn unknown_attributes_are_kept() {
    let mut payload = FTP.payload();
    payload.extend([6, 0, 0xe7, 0x03, 1, 2, 0, 0]);
    let expectation = Expectation::parse(&payload).unwrap();
    let unknown: Vec<_> = expectation.unknown().map(|a| (a.kind, a.payload)).collect();
    assert_eq!(unknown, [(999, &[1, 2][..])]);
    assert_eq!(attributes(&expectation), payload[4..]);
}

#[test]
fn errors_name_the_attribute() {
    assert_eq!(Expectation::parse(&[0; 3]), Err(DecodeError::Header { got: 3 }));
    let name = "CTA_EXPECT_TUPLE";
    assert_eq!(Expectation::parse(&[0; 4]), Err(DecodeError::Missing { name }));
    let mut payload = FTP.payload();
    payload.extend([6, 0, 9, 0, 1, 2, 0, 0]);
    let source = AttrError::Size {
        kind: 9,
        expected: 4,
        got: 2,
    };
    let name = "CTA_EXPECT_CLASS";
    assert_eq!(
        Expectation::parse(&payload),
        Err(DecodeError::Attribute { name, source })
    );
}

#[test]
fn a_message_cut_anywhere_is_an_expectation_or_an_error() {
    for sample in ALL {
        let payload = sample.payload();
        for length in 0..payload.len() {
            // A message cut between two attributes is a valid expectation with fewer of them.
            if let Ok(expectation) = Expectation::parse(&payload[..length]) {
                assert_eq!(expectation.tuple, Expectation::parse(&payload).unwrap().tuple);
            }
        }
    }
}

/// Tuples that netlink can express: fields that a protocol has no attribute for are zero.
fn any_tuple() -> impl Strategy<Value = Tuple> {
    let protonum = prop::sample::select(vec![6u8, 17, 33, 47, 50, 132, 136]);
    (
        any::<bool>(),
        any::<[u8; 16]>(),
        any::<[u8; 16]>(),
        any::<([u8; 2], [u8; 2])>(),
        protonum,
    )
        .prop_map(|(v6, src, dst, l4, protonum)| {
            let mut tuple = Tuple {
                protonum,
                ..Tuple::default()
            };
            let (family, bytes) = if v6 { (Family::Ipv6, 16) } else { (Family::Ipv4, 4) };
            tuple.l3num = u16::from(family as u8).to_ne_bytes();
            tuple.src[..bytes].copy_from_slice(&src[..bytes]);
            tuple.dst[..bytes].copy_from_slice(&dst[..bytes]);
            if protonum != 50 {
                (tuple.src_l4, tuple.dst_l4) = l4;
            }
            tuple
        })
}

proptest! {
    #[test]
    fn written_values_are_read_back(
        (tuple, mask, master) in (any_tuple(), any_tuple(), any_tuple()),
        numbers: [Option<u32>; 4],
        zone: Option<u16>,
        nat in prop::option::of((0u32..2, any_tuple())),
        helper in prop::option::of("[a-z.0-9-]{1,15}"),
        function in prop::option::of("[a-z-]{1,30}"),
    ) {
        let payload = FTP.payload();
        let mut written = Expectation::parse(&payload).unwrap();
        (written.tuple, written.mask, written.master) = (tuple, mask, master);
        [written.timeout, written.id, written.flags, written.class] = numbers;
        written.zone = zone;
        written.nat = nat.map(|(dir, tuple)| Nat { dir, tuple });
        written.helper = helper.as_deref().map(str::as_bytes);
        written.function = function.as_deref().map(str::as_bytes);
        let bytes = [&[2, 0, 0, 0][..], &attributes(&written)].concat();
        let read = Expectation::parse(&bytes).unwrap();
        prop_assert_eq!(
            (read.tuple, read.mask, read.master, read.timeout, read.id, read.flags),
            (tuple, mask, master, written.timeout, written.id, written.flags)
        );
        prop_assert_eq!(
            (read.class, read.zone, read.nat, read.helper, read.function),
            (written.class, zone, written.nat, written.helper, written.function)
        );
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        if let Ok(expectation) = Expectation::parse(&bytes) {
            let _ = (expectation.unknown().count(), attributes(&expectation));
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
        if let Ok(expectation) = Expectation::parse(&bytes) {
            // A parsed message survives writing and parsing.
            let again = [&[0; 4][..], &attributes(&expectation)].concat();
            prop_assert!(Expectation::parse(&again).is_ok());
            let mut out = Vec::new();
            crate::render::expect_line::line(&mut out, &expectation, None, true);
            prop_assert!(out.ends_with(b"\n"));
            crate::render::expect_xml::flow(&mut out, &expectation, None, None);
            out.clear();
            crate::render::expect_json::object(&mut out, &expectation, None, None);
            prop_assert!(serde_json::from_slice::<serde_json::Value>(&out).is_ok());
        }
    }
}

#[test]
fn counters_have_the_kernels_names() {
    // One of the answers to `conntrack -S expect`, with its values changed to differ.
    let payload = [
        0, 0, 0, 1, 8, 0, 1, 0, 0, 0, 0, 5, 8, 0, 2, 0, 0, 0, 0, 6, 8, 0, 3, 0, 0, 0, 0, 7,
    ];
    let cpu = crate::netlink::stats::Cpu::parse(&payload).unwrap();
    let named: Vec<_> = cpu
        .counters
        .iter()
        .map(|(n, value)| (stats::name(*n), *value))
        .collect();
    assert_eq!(cpu.cpu, 1);
    assert_eq!(
        named,
        [
            (Some("expect_new"), 5),
            (Some("expect_create"), 6),
            (Some("expect_delete"), 7)
        ]
    );
    assert_eq!((stats::name(0), stats::name(4)), (None, None));
}
