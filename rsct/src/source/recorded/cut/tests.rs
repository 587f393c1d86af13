//! The replay of a part equals that of the whole recording with the same filter and window.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::{
    recording::{Reader, Status},
    source::recorded::made::{Dir, Part, SECOND, STARTED_NS, entries, events, lines, record, renumbered},
};

fn cut_to(whole: &Path, out: &Path, part: Part) -> Written {
    let mut files = Files::open(&[whole.to_owned()]).unwrap();
    let start = files.start().unwrap().clone();
    let options = CutOptions {
        path: out.to_owned(),
        filter: part.filter,
        netns: part.netns,
        window: Window {
            from_ns: part.window.from_ns.max(start.from_ns),
            ..part.window
        },
    };
    cut(&mut files, &start, options).unwrap()
}

fn part(of_flow: Option<u16>, netns: Option<u32>, [from_ms, to_ms]: [u64; 2]) -> Part {
    let filter = Filter {
        sport: of_flow.map(|flow| 4000 + flow),
        ..Filter::default()
    };
    let at = |ms: u64| STARTED_NS + ms * 1_000_000;
    Part {
        filter,
        netns,
        window: Window {
            from_ns: if from_ms == 0 { 0 } else { at(from_ms) },
            to_ns: at(to_ms),
        },
    }
}

/// Asserts that the replay of a part equals that of the whole.
fn check(dir: &Dir, whole: &Path, part: Part) {
    let out = dir.file("part.rsct");
    cut_to(whole, &out, part);
    let mut reader = Reader::new(std::fs::File::open(&out).unwrap()).unwrap();
    while reader.advance().unwrap().is_some() {}
    assert_eq!(reader.status(), Status::Whole);
    let (of_whole, elapsed, lost) = lines(&[whole.to_owned()], part, false);
    let (of_part, part_elapsed, part_lost) = lines(std::slice::from_ref(&out), Part::default(), true);
    assert_eq!(renumbered(of_part), renumbered(of_whole), "{part:?}");
    assert_eq!((part_elapsed, part_lost), (elapsed, lost), "{part:?}");
    if part.filter.is_empty() {
        let end = Part {
            window: Window {
                from_ns: 0,
                to_ns: u64::MAX,
            },
            ..part
        };
        assert_eq!(entries(&out, end), entries(whole, part), "{part:?}");
    }
    // A part of the part with the same window is the same again.
    let again = dir.file("again.rsct");
    cut_to(&out, &again, part);
    let of_again = lines(&[again], Part::default(), true).0;
    let of_part = lines(&[out], Part::default(), true).0;
    assert_eq!(renumbered(of_again), renumbered(of_part));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_part_replays_as_the_whole_does(
        events in events(),
        of_flow in prop::option::of(0..4_u16),
        netns in prop::option::of(7..9_u32),
        from_ms in prop_oneof![Just(0), 0..3000_u64],
        length_ms in prop_oneof![Just(100_000), 0..3000_u64],
    ) {
        let dir = Dir::new("part");
        let whole = dir.file("whole.rsct");
        record(&whole, &events);
        check(&dir, &whole, part(of_flow, netns, [from_ms, from_ms + length_ms]));
    }

    #[test]
    fn a_part_of_the_sample_replays_as_the_whole_does(
        of_flow in prop_oneof![Just(None), Just(Some(36_000_u16))],
        from_ms in 0..2000_u64,
        length_ms in 0..2000_u64,
    ) {
        let dir = Dir::new("sample");
        let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests-data/udp.rsct");
        let mut part = part(of_flow, None, [from_ms, from_ms + length_ms]);
        // The sample starts at another time.
        let shift = 900 * SECOND;
        part.window.to_ns += shift;
        if part.window.from_ns != 0 {
            part.window.from_ns += shift;
        }
        check(&dir, &sample, part);
    }
}

#[test]
fn a_part_stands_alone() {
    use crate::source::recorded::made::Event::*;
    let dir = Dir::new("alone");
    let (whole, out) = (dir.file("whole.rsct"), dir.file("part.rsct"));
    let events = [
        (Confirm, 0, 10),
        (Confirm, 1, 10),
        (Loss, 0, 10),
        (Delete, 1, 10),
        (Destroy, 1, 10),
        (Packet, 0, 1000),
        (Loss, 0, 10),
        (Packet, 0, 1000),
    ];
    record(&whole, &events);
    let written = cut_to(&whole, &out, part(None, None, [500, 1500]));
    assert_eq!(written.records, 1);
    let (lines, _, lost) = lines(std::slice::from_ref(&out), Part::default(), true);
    let kinds: Vec<&str> = lines.iter().map(|line| line.split('"').nth(3).unwrap()).collect();
    assert_eq!(kinds, ["causes", "started", "packet", "loss"], "{lines:?}");
    assert!(lines[1].contains("\"flows_from_dump\":1"), "{lines:?}");
    assert_eq!(lost, 2);
    let late = Part {
        window: Window {
            from_ns: STARTED_NS + SECOND * 6 / 5,
            to_ns: u64::MAX,
        },
        ..Part::default()
    };
    assert_eq!(entries(&out, late).len(), 1);
}
