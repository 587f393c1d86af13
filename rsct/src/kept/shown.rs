//! The output of a recording: of traces, tables and answers.

use super::{
    answers::{self, Answers},
    path,
    replay::{Shared, look, open, trace},
};
use crate::{
    observe::{Model, Selection, Summary},
    recording::Contents,
    render::{
        entry::{About, Format, View},
        known,
        latency_report::{LatencyReport, Look, Outcome, Requested},
        printed::OnlyTimeouts,
        recording,
        timeout_history::TimeoutHistory,
        trace_json::TraceJson,
        trace_summary,
        trace_text::{self, Style, TraceText},
    },
    source::recorded::{Window, table},
};

/// A command's part of the output.
fn part(all: &mut String, command: &str, text: &str) {
    if !text.is_empty() {
        *all += &format!("\n# {command}\n{text}");
    }
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

/// The text of every command that reads the recording.
pub(super) fn text(name: &str) -> String {
    let mut all = String::new();
    let narrow = trace(name, TraceText::new, false);
    part(&mut all, "rsct trace", &narrow.lines);
    part(
        &mut all,
        "the summary",
        &trace_summary::text(&Summary::of(&narrow.model)),
    );
    let known = written(|out| known::table(out, false, &narrow.model.table, narrow.model.now_ns()));
    part(&mut all, "rsct trace --known", &known);
    let wide = |mut look: trace_text::Look| {
        look.style = Style {
            wide: true,
            absolute: false,
        };
        look.show_netns = true;
        TraceText::new(look)
    };
    part(&mut all, "rsct trace -o wide", &trace(name, wide, false).lines);
    let history = trace(name, |look| OnlyTimeouts(TimeoutHistory::new(look)), false);
    part(&mut all, "rsct timeout why", &history.lines);
    for (command, list) in lists(name, Format::Text) {
        part(&mut all, &command, &list);
    }
    let Answers { causes, others } = answers::of(name, false);
    for (command, answer) in causes.into_iter().chain(others) {
        part(&mut all, &command, &answer);
    }
    part(&mut all, "rsct latency", &latency(name, false));
    all
}

/// The JSON of the same commands, all of which write lines.
pub(super) fn json(name: &str) -> String {
    let traced = trace(name, |look| TraceJson::new(look.ticks), true);
    let mut all = traced.lines;
    let model = &traced.model;
    all += &written(|out| known::table(out, true, &model.table, model.now_ns()));
    all += &written(|out| trace_summary::json(&Summary::of(model), out));
    for (_, list) in lists(name, Format::Json) {
        all += &list;
    }
    let Answers { causes, others } = answers::of(name, true);
    for (_, answer) in causes.into_iter().chain(others) {
        all += &answer;
    }
    all += &latency(name, true);
    all += &contents(name);
    all
}

/// The contents of the file.
fn contents(name: &str) -> String {
    let file = std::fs::File::open(path(name, "rsct")).unwrap();
    let contents = Contents::read(file).unwrap();
    written(|out| recording::json(out, name, &contents))
}

/// The table in the middle and at the end.
fn lists(name: &str, format: Format) -> [(String, String); 2] {
    let (_, start) = open(name);
    let end_ns = table_at(name, u64::MAX).now_ns();
    let half_ns = start.setup.started_ns.midpoint(end_ns);
    [("the middle", half_ns), ("the end", u64::MAX)].map(|(when, to_ns)| {
        let model = table_at(name, to_ns);
        let list = written(|out| {
            let view = View {
                format,
                ..View::default()
            };
            for flow in table::entries(&model) {
                let entry = table::entry(flow, model.now_ns());
                view.entry(out, &entry, &About::default());
            }
        });
        (format!("rsct list --at, {when}"), list)
    })
}

fn table_at(name: &str, to_ns: u64) -> Model {
    let (mut files, _) = open(name);
    table::at(&mut files, Selection::default(), to_ns)
        .unwrap()
        .unwrap()
}

/// The durations, if the recording has them.
fn latency(name: &str, is_json: bool) -> String {
    let (mut files, start) = open(name);
    let out = Shared::default();
    let look = Look {
        is_json,
        palette: look(&start).palette,
        requested: Requested {
            by: None,
            slower_than_ns: None,
            every_ns: Some(1_000_000_000),
        },
        recorded_ns: Some(0..=u64::MAX),
    };
    let mut report = LatencyReport::new(look, start.names, out.clone());
    files.run(&mut report, Window::default()).unwrap();
    match report.finish() {
        Outcome::Printed(printed) => printed.unwrap(),
        Outcome::Missing => assert_eq!(out.text(), "", "{name}"),
        other => panic!("{name}: {other:?}"),
    }
    out.text()
}

#[test]
fn one_recording_has_durations() {
    assert!(!latency("six", false).is_empty());
}
