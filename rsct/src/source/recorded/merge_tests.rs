//! Several files: of one recorder, of two recorders of a boot, of two hosts.

use std::{cell::RefCell, path::PathBuf, rc::Rc};

use proptest::prelude::*;

use super::{
    Files, Window,
    boots::{self, Boot},
    made::{Dir, Event, Made, Part, SECOND, STARTED_NS, entries, events, lines, record, renumbered},
};
use crate::{
    observe::{Consumer, Input, Want},
    records::Record,
};

type Times = Rc<RefCell<Vec<(usize, u64)>>>;

/// Notes the times of records, and checks that none is earlier than the settled time.
struct Noted {
    number: usize,
    times: Times,
    settled_ns: u64,
}

impl Consumer for Noted {
    fn take(&mut self, input: Input<'_>) {
        match input {
            Input::Record(Record::Packet(record)) => {
                assert!(record.time_ns >= self.settled_ns);
                self.times.borrow_mut().push((self.number, record.time_ns));
            }
            Input::Settled { now_ns } => self.settled_ns = now_ns,
            _ => {}
        }
    }

    fn is_over(&self) -> bool {
        false
    }

    fn has_failed(&self) -> bool {
        false
    }

    fn lacks(&mut self) -> Option<Want> {
        None
    }
}

fn noted(number: usize, times: &Times) -> Noted {
    Noted {
        number,
        times: Rc::clone(times),
        settled_ns: 0,
    }
}

/// Returns whether times are in order, but for those between two marks of the time: 100 ms here, 20 ms in recordings.
fn are_in_order(mut times: impl Iterator<Item = i64>) -> bool {
    let mut last_ns = 0;
    let is_late = |time_ns: i64| {
        last_ns = last_ns.max(time_ns);
        last_ns - time_ns > 100_000_000
    };
    !times.any(is_late)
}

fn packets(path: &std::path::Path, first_ms: u64, gap_ms: u64, count: usize) {
    let mut made = Made::new(path, None);
    for number in 0..count {
        let after_ms = if number == 0 { first_ms } else { gap_ms };
        made.event(Event::Packet, 0, after_ms);
    }
    made.finish();
}

#[test]
fn overlapping_files_of_a_boot_are_merged_by_time() {
    let dir = Dir::new("overlap");
    let files: Vec<PathBuf> = ["a.rsct", "b.rsct"].map(|name| dir.file(name)).into();
    packets(&files[0], 10, 100, 30);
    packets(&files[1], 55, 70, 30);
    let times = Times::default();
    let mut files = Files::open(&files).unwrap();
    files.run(&mut noted(0, &times), Window::default()).unwrap();
    let times = times.borrow();
    assert_eq!(times.len(), 60);
    assert!(
        are_in_order(times.iter().map(|(_, time_ns)| time_ns.cast_signed())),
        "{times:?}"
    );
}

#[test]
fn hosts_are_merged_by_the_time_of_day() {
    let dir = Dir::new("hosts");
    let paths = ["a.rsct", "b.rsct"].map(|name| dir.file(name));
    packets(&paths[0], 10, 100, 20);
    packets(&paths[1], 15, 30, 50);
    let times = Times::default();
    // The second host booted a second later.
    let offsets = [0, SECOND.cast_signed()];
    let mut boots: Vec<Boot<Noted>> = paths
        .iter()
        .enumerate()
        .map(|(number, path)| Boot {
            files: Files::open(std::slice::from_ref(path)).unwrap(),
            window: Window::default(),
            realtime_offset_ns: offsets[number],
            consumer: noted(number, &times),
        })
        .collect();
    boots::run(&mut boots).unwrap();
    let times = times.borrow();
    assert_eq!(times.len(), 70);
    let of_day = |(number, time_ns): &(usize, u64)| time_ns.cast_signed() + offsets[*number];
    assert!(are_in_order(times.iter().map(of_day)), "{times:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rotated_files_in_any_order_are_one_recording(events in events(), swap in any::<bool>()) {
        let dir = Dir::new("rotated");
        let (whole, rotated) = (dir.file("whole.rsct"), dir.file("r.rsct"));
        record(&whole, &events);
        let mut made = Made::new(&rotated, Some(3000));
        for (event, flow, after_ms) in &events {
            made.event(*event, *flow, *after_ms);
        }
        made.finish();
        let mut paths: Vec<PathBuf> = std::iter::once(rotated.clone())
            .chain((1..999).map(|age| dir.file(&format!("r.rsct.{age}"))))
            .filter(|path| path.exists())
            .collect();
        if swap {
            paths.reverse();
        }
        prop_assert_eq!(lines(&paths, Part::default(), true), lines(&[whole], Part::default(), true));
    }

    #[test]
    fn what_is_passed_over_changes_no_line(before in events(), after in events(), from_ms in 3000..9000_u64) {
        let dir = Dir::new("sought");
        let path = dir.file("a.rsct");
        let mut made = Made::new(&path, None);
        for (event, flow, after_ms) in &before {
            if !matches!(event, Event::Dump) {
                made.event(*event, *flow, *after_ms);
            }
        }
        // All flows are deleted, so that the dump is exact.
        for flow in 0..4 {
            made.event(Event::Delete, flow, 1);
            made.event(Event::Destroy, flow, 1);
        }
        made.dump(0);
        for (event, flow, after_ms) in &after {
            made.event(*event, *flow, *after_ms);
        }
        made.finish();
        let part = Part {
            window: Window {
                from_ns: STARTED_NS + from_ms * 1_000_000,
                to_ns: u64::MAX,
            },
            ..Part::default()
        };
        let read = lines(std::slice::from_ref(&path), part, false);
        let sought = lines(std::slice::from_ref(&path), part, true);
        prop_assert_eq!(renumbered(sought.0), renumbered(read.0));
        prop_assert_eq!((sought.1, sought.2), (read.1, read.2));
        prop_assert!(entries(&path, part).len() <= 4);
    }
}
