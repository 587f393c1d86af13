//! Exports of the kept recordings for Perfetto, read by a decoder of their own. `cargo xtask test --only export` opens them
//! in Perfetto's trace_processor.

use std::collections::HashSet;

use super::{NAMES, pages::gathered, replay::open, replay::trace};
use crate::{
    export::perfetto::{Exporter, Options, Written, read::Read},
    kernel::interfaces::Names,
    observe::{Consumer as _, Fact, Input, Selection},
    render::trace_json::TraceJson,
    snapshot::Leaders,
    source::recorded::Window,
};

fn exported(name: &str, most_bytes: u64) -> (Vec<u8>, Written) {
    exported_with(name, most_bytes, &Names::default())
}

fn exported_with(name: &str, most_bytes: u64, names: &Names) -> (Vec<u8>, Written) {
    let (mut files, start) = open(name);
    let flows = gathered(name).0.snapshot().culprits.flows;
    let top = flows.top(&Leaders::default(), 3, |figures| figures.packets);
    let mut trace = Vec::new();
    let options = Options {
        selection: Selection::default(),
        netns: None,
        window: Window::default(),
        names: names.clone(),
        top: top.into_iter().map(|(flow, _)| flow).collect(),
        most_bytes,
    };
    let mut exporter = Exporter::new(&mut trace, &start, options);
    exporter.take(Input::Fact(&Fact::Names(names.clone())));
    files.run(&mut exporter, Window::default()).unwrap();
    let written = exporter.finish().unwrap();
    (trace, written)
}

#[test]
fn exports_have_every_packet_and_operation() {
    for name in NAMES {
        let (trace_bytes, written) = exported(name, u64::MAX);
        assert_eq!(written.bytes, trace_bytes.len() as u64);
        let read = Read::of(&trace_bytes);
        let json = trace(name, |look| TraceJson::new(look.ticks), true).lines;
        for (kind, category) in [("packet", "packet"), ("entry", "entry"), ("cause", "cause")] {
            let lines = json.lines();
            let expected = lines
                .filter(|line| line.starts_with(&format!("{{\"type\":\"{kind}\"")))
                .count();
            let found = read.of_category(category).count();
            assert_eq!(found, expected, "{name}: {kind}");
        }
        for slice in read.of_category("packet").chain(read.of_category("entry")) {
            let duration_ns = slice.end_ns.unwrap() - slice.begin_ns;
            let measured = slice.annotations.get("duration_ns").map_or("0", String::as_str);
            assert_eq!(duration_ns.to_string(), measured, "{name}: {slice:?}");
        }
        let names: HashSet<&str> = read.tracks.values().map(|(name, _)| name.as_str()).collect();
        for expected in ["CPU 0", "entries", "packets/s"] {
            assert!(
                names.contains(expected),
                "{name}: no track {expected} in {names:?}"
            );
        }
    }
}

#[test]
fn a_full_file_is_a_valid_beginning() {
    let (whole, _) = exported("tcp", u64::MAX);
    for most in [0, 100, 1000, 5000] {
        let (part, written) = exported("tcp", most);
        assert!(part.len() as u64 <= most);
        assert_eq!(part, whole[..part.len()]);
        Read::of(&part);
        assert!(written.full_after_ns.is_some());
    }
}

#[test]
fn names_are_escaped() {
    let (_, start) = open("tcp");
    let mut json = serde_json::to_value(&start.names).unwrap();
    for namespace in json["netns"].as_array_mut().unwrap() {
        namespace[1] = "evil\u{1b}[31m\u{202e}".into();
    }
    for interface in json["interfaces"].as_array_mut().unwrap() {
        interface[2] = "eth\n0".into();
    }
    let names: Names = serde_json::from_value(json).unwrap();
    let (trace, _) = exported_with("tcp", u64::MAX, &names);
    let read = Read::of(&trace);
    assert!(
        read.tracks
            .values()
            .any(|(name, _)| name.contains("evil\\u{1b}[31m\\u{202e}")),
        "{:?}",
        read.tracks
    );
    let text = String::from_utf8_lossy(&trace);
    assert!(text.contains("eth\\u{a}0") && !text.contains("eth\n0"));
}
