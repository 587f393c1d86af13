//! Recordings that the recorder writes again from a replay: the output stays the same, in one file or in several.

use std::path::PathBuf;

use super::{
    NAMES, is_kept,
    replay::{open, trace_of},
};
use crate::{
    observe::{Consumer, Input, Want},
    render::trace_json::TraceJson,
    source::recorded::{Files, Recorder, RecorderOptions, Window},
};

/// A directory that is deleted at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rsct-rewritten-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn files(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(&self.0).unwrap();
        files.map(|file| file.unwrap().path()).collect()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Writes a recording again, in files of at most this size. Returns the recorder's figures.
fn rewrite(name: &str, to: &Directory, max_bytes: Option<u64>) -> Vec<String> {
    let (mut files, start) = open(name);
    let options = RecorderOptions {
        path: to.0.join("a.rsct"),
        max_bytes,
        keep: 9999,
        command: Vec::new(),
    };
    let mut recorder = Recorder::create(options, &start.setup, start.names).unwrap();
    assert!(recorder.wants_counts() && !recorder.wants_dump());
    files.run(&mut recorder, Window::default()).unwrap();
    assert!(!recorder.is_over() && !recorder.has_failed());
    let figures = recorder.figures();
    recorder.finish().unwrap();
    figures
}

/// A size that a file reaches before its end: each file begins with all facts so far.
fn most_of(name: &str) -> u64 {
    std::fs::metadata(super::path(name, "rsct")).unwrap().len() * 3 / 4
}

/// The JSON lines of files.
fn lines(paths: &[PathBuf]) -> String {
    let files = Files::open(paths).unwrap();
    let hz = files.start().unwrap().setup.hz;
    trace_of(files, TraceJson::new(hz), true).unwrap().lines
}

#[test]
fn a_recording_written_again_has_the_same_lines() {
    let mut figures = String::new();
    for name in NAMES {
        let to = Directory::new(name);
        let written = rewrite(name, &to, None);
        figures += &format!("{name}: {}\n", written.join("; "));
        assert!(
            lines(&to.files()) == lines(&[super::path(name, "rsct")]),
            "{name}"
        );
        assert_eq!(to.files().len(), 1);
    }
    is_kept("figures", "txt", &figures);
}

#[test]
fn several_files_have_the_lines_of_one() {
    let events = |lines: &str| -> String {
        let is_event =
            |line: &&str| line.contains("\"type\":\"packet\"") || line.contains("\"type\":\"entry\"");
        lines
            .lines()
            .filter(is_event)
            .map(|line| format!("{line}\n"))
            .collect()
    };
    for name in NAMES {
        let to = Directory::new(&format!("several-{name}"));
        rewrite(name, &to, Some(most_of(name)));
        assert!(to.files().len() > 1, "{name}");
        let [one, several] =
            [&[super::path(name, "rsct")][..], &to.files()].map(|paths| events(&lines(paths)));
        for (several, one) in several.lines().zip(one.lines()) {
            assert_eq!(several, one, "{name}");
        }
        assert_eq!(several.lines().count(), one.lines().count(), "{name}");
    }
}

/// The durations of a recording.
#[derive(Debug, Default)]
struct Durations(Vec<String>);

impl Consumer for Durations {
    fn take(&mut self, input: Input<'_>) {
        if let Input::Latency(measured) = input {
            self.0.push(format!("{measured:?}"));
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

#[test]
fn durations_written_again_are_equal() {
    let of = |paths: &[PathBuf]| {
        let mut durations = Durations::default();
        let mut files = Files::open(paths).unwrap();
        files.run(&mut durations, Window::default()).unwrap();
        durations.0
    };
    let before = of(&[super::path("six", "rsct")]);
    assert!(before.len() > 3);
    let to = Directory::new("durations");
    rewrite("six", &to, None);
    assert_eq!(of(&to.files()), before);
    // The last reading of several files is that of one.
    let to = Directory::new("durations-several");
    rewrite("six", &to, Some(most_of("six")));
    assert_eq!(of(&to.files()).last(), before.last());
}
