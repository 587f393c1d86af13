//! Recorded reports are those of the live measurement.

use std::{fs, path::Path};

use rsct_common::latency::Function;

use super::*;
use crate::{
    kernel::hz::Hz,
    latency::{Key, begins_of_tests, tally_of},
    observe::{Ended, Setup},
    source::recorded::{Files, Recorder, RecorderOptions, Window},
};

fn snapshot(time_ns: u64, values: &[u64]) -> Snapshot {
    let mut snapshot = Snapshot {
        time_ns,
        ..Snapshot::default()
    };
    snapshot.losses.table_buckets = 65_536;
    let reading = &mut snapshot.reading;
    reading
        .durations
        .insert((Function::ConntrackIn, Key::Outcome(1)), tally_of(values));
    reading
        .durations
        .insert((Function::Gc, Key::All), tally_of(&vec![1000; values.len() / 2]));
    reading.counts.tracked_already = values.len() as u64;
    reading.counts.unfinished.insert(Function::Gc, 1);
    reading.gc.buckets = tally_of(values);
    snapshot
}

/// A measurement of five readings.
fn measure(consumer: &mut impl Consumer) {
    let begins = begins_of_tests();
    consumer.take(Input::Latency(Measured::Begins(&begins)));
    let values: Vec<u64> = (0..40).map(|number| 900 + number * number * 7).collect();
    for second in 0..5 {
        let time_ns = begins.time_ns + second * 1_000_000_000;
        consumer.take(Input::Settled { now_ns: time_ns });
        let snapshot = snapshot(time_ns, &values[..second as usize * 10]);
        consumer.take(Input::Latency(Measured::Snapshot(&snapshot)));
    }
    consumer.take(Input::Ended(&Ended::default()));
}

fn look(is_json: bool, requested: Requested, recorded_ns: Option<RangeInclusive<u64>>) -> Look {
    Look {
        is_json,
        palette: Palette::PLAIN,
        requested,
        recorded_ns,
    }
}

/// Prints the recording.
fn replayed(path: &Path, is_json: bool, requested: Requested, window: Window) -> (String, Outcome) {
    let mut out = Vec::new();
    let outcome = {
        let look = look(is_json, requested, Some(window.from_ns..=window.to_ns));
        let mut report = LatencyReport::new(look, Names::default(), &mut out);
        Files::open(&[path.to_owned()])
            .unwrap()
            .run(&mut report, window)
            .unwrap();
        report.finish()
    };
    (String::from_utf8(out).unwrap(), outcome)
}

fn recorder(path: &Path) -> Recorder {
    rotating(path, None)
}

fn rotating(path: &Path, max_bytes: Option<u64>) -> Recorder {
    let setup = Setup {
        hz: Hz::new(250).unwrap(),
        started_ns: 1_000_000_000,
        with_causes: false,
        only_netns: Some(7),
        is_unfiltered: true,
    };
    let options = RecorderOptions {
        path: path.to_owned(),
        max_bytes,
        keep: 9,
        command: Vec::new(),
    };
    Recorder::create(options, &setup, Names::default()).unwrap()
}

fn every_second() -> Requested {
    Requested {
        every_ns: Some(1_000_000_000),
        ..Requested::default()
    }
}

/// A file that is deleted at the end.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("rsct-latency-{name}-{}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn a_recording_prints_the_reports_of_the_measurement() {
    let file = Scratch::new("equal");
    let mut recorder = recorder(&file.0);
    measure(&mut recorder);
    recorder.finish().unwrap();
    for is_json in [true, false] {
        for requested in [Requested::default(), every_second()] {
            let mut live = Vec::new();
            let mut report = LatencyReport::new(look(is_json, requested, None), Names::default(), &mut live);
            measure(&mut report);
            assert!(matches!(report.finish(), Outcome::Printed(Ok(()))));
            let live = String::from_utf8(live).unwrap();
            let (recorded, outcome) = replayed(&file.0, is_json, requested, Window::default());
            assert!(matches!(outcome, Outcome::Printed(Ok(()))), "{outcome:?}");
            // Text says of which machine the cost of measuring is.
            let without_cost = |text: &str| -> Vec<String> {
                let lines = text.lines().skip(if is_json { 0 } else { 7 });
                lines.map(str::to_owned).collect()
            };
            let live = match is_json {
                true => without_cost(&live),
                // The recorded text has two lines more.
                false => live.lines().skip(5).map(str::to_owned).collect(),
            };
            assert_eq!(without_cost(&recorded), live);
            assert!(recorded.contains("40"), "{recorded}");
        }
    }
}

#[test]
fn a_window_has_the_calls_between_its_readings() {
    let file = Scratch::new("window");
    let mut recorder = recorder(&file.0);
    measure(&mut recorder);
    recorder.finish().unwrap();
    let window = Window {
        from_ns: 1_500_000_000,
        to_ns: 4_000_000_000,
    };
    let (text, _) = replayed(&file.0, true, every_second(), window);
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let calls: Vec<(u64, bool)> = lines
        .iter()
        .filter(|line| line["type"] == "latency" && line["function"] == "nf_conntrack_in")
        .map(|line| {
            let count = line["durations_ns"]["count"].as_u64().unwrap();
            (count, line["whole"].as_bool().unwrap())
        })
        .collect();
    assert_eq!(calls, [(10, false), (10, false), (20, true)]);
    let summary = lines.last().unwrap();
    assert_eq!(summary["elapsed_ns"], 2_000_000_000_u64);
    let short = Window {
        from_ns: 2_000_000_000,
        to_ns: 2_900_000_000,
    };
    assert!(matches!(
        replayed(&file.0, false, Requested::default(), short).1,
        Outcome::Empty
    ));
}

#[test]
fn each_file_of_a_rotated_recording_has_the_calls_of_its_time() {
    let directory = std::env::temp_dir().join(format!("rsct-latency-rotated-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let path = directory.join("r.rsct");
    // The file is full at each of the five times.
    let mut recorder = rotating(&path, Some(1));
    measure(&mut recorder);
    recorder.finish().unwrap();
    let names: Vec<std::path::PathBuf> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let calls = |paths: &[std::path::PathBuf]| {
        let mut out = Vec::new();
        let mut report = LatencyReport::new(
            look(true, Requested::default(), Some(0..=u64::MAX)),
            Names::default(),
            &mut out,
        );
        Files::open(paths)
            .unwrap()
            .run(&mut report, Window::default())
            .unwrap();
        let outcome = report.finish();
        let text = String::from_utf8(out).unwrap();
        let line = text
            .lines()
            .find(|line| line.contains("nf_conntrack_in") && line.contains("durations_ns"));
        let line: Option<serde_json::Value> = line.map(|line| serde_json::from_str(line).unwrap());
        (
            line.map(|line| line["durations_ns"]["count"].as_u64().unwrap()),
            outcome,
        )
    };
    let last = calls(std::slice::from_ref(&path));
    let all = calls(&names);
    fs::remove_dir_all(&directory).unwrap();
    assert_eq!(names.len(), 6);
    assert_eq!(all.0, Some(40), "{all:?}");
    assert_eq!(last.0, Some(10), "{last:?}");
}

#[test]
fn a_recording_without_a_measurement_has_no_report() {
    let file = Scratch::new("missing");
    let mut recorder = recorder(&file.0);
    recorder.take(Input::Settled {
        now_ns: 2_000_000_000,
    });
    recorder.take(Input::Ended(&Ended::default()));
    recorder.finish().unwrap();
    let (text, outcome) = replayed(&file.0, false, Requested::default(), Window::default());
    assert!(matches!(outcome, Outcome::Missing), "{outcome:?}");
    assert_eq!(text, "");
}

#[test]
fn another_key_is_refused_before_anything_is_printed() {
    let file = Scratch::new("refused");
    let mut recorder = recorder(&file.0);
    measure(&mut recorder);
    recorder.finish().unwrap();
    let requested = Requested {
        by: Some(crate::latency::By::Cpu),
        ..Requested::default()
    };
    let (text, outcome) = replayed(&file.0, false, requested, Window::default());
    assert!(
        matches!(outcome, Outcome::Refused(Refusal::By { .. })),
        "{outcome:?}"
    );
    assert_eq!(text, "");
}
