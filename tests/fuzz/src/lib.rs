//! Common parts of the fuzz targets: writing the input that was read, showing it, and the conditions of both.
//!
//! Each file in `targets/` is one target. `cargo xtask fuzz` builds and runs them; without the fuzzer itself they can
//! only be checked. `corpus/<target>` holds the first inputs of a target: small files that `RSCT_SEEDS=write cargo test
//! -p rsct seeds` writes from captured messages, and, under names of their own, inputs that once led to a failure.

use std::time::Duration;

use rsct::internals::{
    family::Family,
    labels::LabelMap,
    netlink::{conntrack::Entry, emit::Emitter, expect::Expectation},
    render::{
        entry::{About, Format, View},
        expect,
    },
};
use rsct_common::Tuple;

pub mod xml;

/// `struct nfgenmsg`, then attributes.
pub fn message(write: impl FnOnce(&mut Emitter<'_>)) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    write(&mut Emitter::new(&mut bytes));
    bytes
}

/// A tuple as it is after it was written: without the bytes that its family and protocol do not have.
pub fn canonical(mut tuple: Tuple) -> Tuple {
    if tuple.family() != Family::Ipv6 as u16 {
        tuple.l3num = u16::from(Family::Ipv4 as u8).to_ne_bytes();
        tuple.src[4..].fill(0);
        tuple.dst[4..].fill(0);
    }
    // ICMP, TCP, UDP, DCCP, GRE, ICMPv6, SCTP, UDPLITE.
    if ![1, 6, 17, 33, 47, 58, 132, 136].contains(&tuple.protonum) {
        (tuple.src_l4, tuple.dst_l4) = ([0; 2], [0; 2]);
    }
    tuple
}

/// Shows an entry in every form, each of which must be valid for its readers.
pub fn show(entry: &Entry<'_>, about: &About<'_>) {
    let names = LabelMap::parse(b"3 from-the-office\n64 night shift\n");
    for format in [
        Format::Text,
        Format::Wide,
        Format::Json,
        Format::Xml,
        Format::Save,
    ] {
        for labels in [None, Some(&names)] {
            let view = View {
                format,
                extended: labels.is_some(),
                id: true,
                ktimestamp: true,
                timestamp: true,
                events: about.event.is_some(),
                command: None,
                labels,
                netns: None,
            };
            let mut out = Vec::new();
            view.entry(&mut out, entry, about);
            match format {
                // conntrack writes a helper's name as it is.
                Format::Text => assert_eq!(out.last(), Some(&b'\n')),
                Format::Wide | Format::Save => is_a_line(&out),
                Format::Json => is_json(&out),
                Format::Xml => xml::is_an_element(&out),
            }
        }
    }
}

/// Shows an expectation in every form.
pub fn show_expectation(expectation: &Expectation<'_>, about: &expect::About<'_>) {
    for format in [expect::Format::Text, expect::Format::Json, expect::Format::Xml] {
        let mut out = Vec::new();
        format.expectation(&mut out, expectation, about);
        match format {
            // conntrack writes a helper's name as it is.
            expect::Format::Text => assert_eq!(out.last(), Some(&b'\n')),
            expect::Format::Json => is_json(&out),
            expect::Format::Xml => xml::is_an_element(&out),
        }
    }
}

/// A time for everything that is shown.
pub const NOW: Duration = Duration::from_secs(1_795_643_827);

/// Checks that this is one line of JSON.
pub fn is_json(out: &[u8]) {
    is_a_line(out);
    let read: Result<serde_json::Value, _> = serde_json::from_slice(out);
    assert!(read.is_ok(), "{}", String::from_utf8_lossy(out));
}

/// Checks that this is one line without control characters.
pub fn is_a_line(out: &[u8]) {
    let text = str::from_utf8(out).expect("text in UTF-8");
    let line = text.strip_suffix('\n').expect("a line with its end");
    assert!(!line.chars().any(char::is_control), "{line:?}");
}
