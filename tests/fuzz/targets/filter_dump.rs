//! A dump filter made of arbitrary numbers: the attributes describe the same filter.
#![no_main]

use libfuzzer_sys::{
    arbitrary::{Result, Unstructured},
    fuzz_target,
};
use rsct::internals::{
    family::Family,
    netlink::conntrack::{Change, DumpFilter, MaskedU32, TupleFilter, TupleParts},
};
use rsct_common::Tuple;
use rsct_fuzz::message;

const PARTS: [TupleParts; 5] = [
    TupleParts::SRC,
    TupleParts::DST,
    TupleParts::PROTO,
    TupleParts::SRC_L4,
    TupleParts::DST_L4,
];

fuzz_target!(|bytes: &[u8]| {
    let Ok(filter) = filter(&mut Unstructured::new(bytes)) else {
        return;
    };
    let written = message(|out| filter.emit(out));
    let read = Change::parse(&written[4..]).expect("what is written can be read");
    let value = |masked: Option<MaskedU32>| masked.map(|masked| masked.value);
    assert_eq!(
        (read.mark, read.status),
        (value(filter.mark), value(filter.status))
    );
    assert_eq!(read.mark_mask, filter.mark.map(|mark| mark.mask));
    assert_eq!(read.zone, filter.zone);
    for (filter, read) in [(filter.orig, read.orig), (filter.reply, read.reply)] {
        assert_eq!(read.is_some(), !filter.parts.is_empty());
        if let Some(read) = read {
            agree(&filter, &read);
        }
    }
});

/// Checks that a tuple holds the parts that the filter selects, and no others.
fn agree(filter: &TupleFilter, read: &Tuple) {
    let tuple = &filter.tuple;
    let bytes = if tuple.family() == Family::Ipv6 as u16 {
        16
    } else {
        4
    };
    for (part, meant, written) in [
        (TupleParts::SRC, tuple.src, read.src),
        (TupleParts::DST, tuple.dst, read.dst),
    ] {
        let meant = if filter.parts.has(part) {
            &meant[..bytes]
        } else {
            &[]
        };
        let (begin, rest) = written.split_at(meant.len());
        assert_eq!(begin, meant);
        assert!(rest.iter().all(|byte| *byte == 0), "{filter:?} as {read:?}");
    }
    let proto = if filter.parts.has(TupleParts::PROTO) {
        tuple.protonum
    } else {
        0
    };
    assert_eq!(read.protonum, proto);
    for (part, meant, written) in [
        (TupleParts::SRC_L4, tuple.src_l4, read.src_l4),
        (TupleParts::DST_L4, tuple.dst_l4, read.dst_l4),
    ] {
        assert!(written == [0; 2] || filter.parts.has(part) && written == meant);
    }
}

fn filter(bytes: &mut Unstructured<'_>) -> Result<DumpFilter> {
    Ok(DumpFilter {
        family: *bytes.choose(&[None, Some(Family::Ipv4), Some(Family::Ipv6)])?,
        mark: masked(bytes)?,
        status: masked(bytes)?,
        zone: bytes.arbitrary()?,
        orig: tuple(bytes)?,
        reply: tuple(bytes)?,
    })
}

fn masked(bytes: &mut Unstructured<'_>) -> Result<Option<MaskedU32>> {
    let numbers: Option<(u32, u32)> = bytes.arbitrary()?;
    Ok(numbers.map(|(value, mask)| MaskedU32 { value, mask }))
}

fn tuple(bytes: &mut Unstructured<'_>) -> Result<TupleFilter> {
    let which: u8 = bytes.arbitrary()?;
    let mut parts = TupleParts::NONE;
    for (bit, part) in PARTS.into_iter().enumerate() {
        if which >> bit & 1 == 1 {
            parts = parts.with(part);
        }
    }
    let mut tuple = Tuple::from_words(bytes.arbitrary()?);
    tuple.l3num = u16::from(*bytes.choose(&[Family::Ipv4, Family::Ipv6])? as u8).to_ne_bytes();
    Ok(TupleFilter { tuple, parts })
}
