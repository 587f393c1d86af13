//! The answers of `rsct why` about a recording.

use std::cmp::Reverse;

use rsct_common::Tuple;

use super::replay::{look, open, trace, trace_of};
use crate::{
    causes::fill::Fill,
    flow::Flow,
    kernel::netns::NetnsName,
    names::status,
    netlink::stats::Table,
    observe::{Chosen, Consumer as _, Fact, Input, Observation, Summary},
    render::{
        color::Palette, fill, trace_json::TraceJson, trace_text::TraceText, why, why_flow::End, why_json,
        why_unreplied::Report,
    },
    source::recorded::{Window, table},
    why::{
        Topic, TopicInputs,
        flow::{FlowFacts, FlowObserver, FlowTuples},
        topics,
        unreplied::{Index, Role, Subject, UnrepliedObserver},
        words::NamedFlow,
    },
};

/// Answers with the command of each.
pub(super) struct Answers {
    /// Of the topics that causes answer.
    pub(super) causes: Vec<(String, String)>,
    /// Of the table, the unreplied entries and the first flow.
    pub(super) others: Vec<(String, String)>,
}

const TOPICS: [Topic; 8] = [
    topics::ALL,
    topics::INVALID,
    topics::DELETE,
    topics::INSERT,
    topics::DROP,
    topics::NAT,
    topics::LOST,
    topics::FULL,
];

/// All answers that report something.
pub(super) fn of(name: &str, is_json: bool) -> Answers {
    let causes = TOPICS.into_iter().filter_map(|topic| {
        let answer = of_topic(name, topic, is_json)?;
        Some((format!("rsct why {}", topic.name), answer))
    });
    Answers {
        causes: causes.collect(),
        others: vec![
            ("the table of rsct why full".to_owned(), filled(name, is_json)),
            ("rsct why unreplied".to_owned(), unreplied(name, is_json)),
            ("rsct why FLOW".to_owned(), of_flow(name, is_json)),
        ],
    }
}

fn inputs(name: &str, topic: Topic) -> TopicInputs {
    let (mut files, start) = open(name);
    let mut inputs = TopicInputs::recorded(topic, &start.setup, Chosen::default(), 0);
    inputs.take(Input::Fact(&Fact::Names(start.names)));
    files.run(&mut inputs, Window::default()).unwrap();
    inputs
}

/// The answer of a topic, if one of its causes occurred.
fn of_topic(name: &str, topic: Topic, is_json: bool) -> Option<String> {
    let inputs = inputs(name, topic);
    let answered = inputs.answered().unwrap();
    assert!(answered.agrees(), "{name}: {}", topic.name);
    let answer = inputs.answer(&answered, 5);
    if answer.causes.is_empty() {
        return None;
    }
    let mut out = Vec::new();
    match is_json {
        false => why::text(&mut out, &answer, Palette::PLAIN),
        true => why_json::answer(&mut out, &answer),
    }
    Some(String::from_utf8(out).unwrap())
}

/// The contents of the table at the end.
fn filled(name: &str, is_json: bool) -> String {
    let inputs = inputs(name, topics::FULL);
    let model = inputs.model().unwrap();
    let mut out = Vec::new();
    for inode in inputs.namespaces() {
        let mut contents = Fill::default();
        for flow in table::entries(model) {
            contents.flow(flow);
        }
        let netns = NetnsName {
            name: inputs.names().netns(inode),
            inode: inode.into(),
        };
        let size = Table {
            entries: u32::try_from(contents.entries).unwrap(),
            max_entries: inputs.max_entries(inode),
        };
        match is_json {
            false => fill::text(&mut out, &netns, size, &contents, 5),
            true => fill::json(&mut out, &netns, size, &contents, 5),
        }
    }
    String::from_utf8(out).unwrap()
}

/// The entries without a reply, at the end and deleted before.
fn unreplied(name: &str, is_json: bool) -> String {
    let (files, start) = open(name);
    let watched = trace_of(files, UnrepliedObserver::default(), is_json).unwrap();
    let (model, observer) = (watched.model, watched.printer);
    let index = Index::of(&observer.sightings);
    let mut flows: Vec<Flow> = table::entries(&model).into_iter().copied().collect();
    flows.retain(|flow| flow.status & status::SEEN_REPLY == 0);
    let listed = flows.into_iter().map(|flow| Subject { flow, ended: None });
    let mut answers = index.judge_all(listed.chain(observer.ended.iter().copied()));
    answers.sort_by_key(|answer| {
        let own = answer.packets(Role::Request) + answer.packets(Role::Reply);
        (Reverse(own), answer.verdict, answer.subject.flow.number)
    });
    let report = Report {
        answers: &answers,
        most: 20,
        more_ended: observer.more_ended,
        names: &start.names,
        watched: model.ended.elapsed,
        now_ns: model.now_ns(),
        lost: Summary::of(&model).lost_total(),
        unkept: observer.sightings.unkept,
    };
    let mut out = Vec::new();
    match is_json {
        false => report.text(&mut out),
        true => report.json(&mut out),
    }
    String::from_utf8(out).unwrap()
}

/// The history of the first flow: its lines and its end.
fn of_flow(name: &str, is_json: bool) -> String {
    let (files, start) = open(name);
    let mut first = None;
    let find = |_: &mut Vec<u8>, observation: Observation<'_>| {
        if let Observation::Packet(_, Some(flow), ..) | Observation::Entry(_, Some(flow), _) = observation {
            first.get_or_insert(*flow);
        }
    };
    trace_of(files, Lines(find), false).unwrap();
    let first = first.unwrap();
    let named = NamedFlow {
        orig: first.orig_tuple(),
        reply: None,
        zone: None,
    };
    let mut text = TraceText::new(look(&start));
    let mut json = TraceJson::new(start.setup.hz);
    let write = move |out: &mut Vec<u8>, observation: Observation<'_>| match is_json {
        false => text.line(out, observation),
        true => json.line(out, observation),
    };
    let traced = trace(
        name,
        |_| FlowObserver::new(FlowTuples::of(&named), write),
        is_json,
    );
    let (model, observer) = (&traced.model, &traced.printer);
    let key = first.tuple_key();
    let last = model.table.flows().find(|flow| flow.tuple_key() == key).copied();
    let in_table = table::entries(model)
        .into_iter()
        .find(|flow| flow.tuple_key() == key)
        .copied();
    let deletion = observer.deletions.iter().rfind(|deletion| deletion.key == key);
    let flow = last
        .or(deletion.and_then(|deletion| deletion.flow))
        .unwrap_or(first);
    let answer = Index::of(&observer.watching.sightings).judge(Subject { flow, ended: None });
    let facts = FlowFacts {
        status: in_table.map(|flow| flow.status),
        was_there: first.from_dump,
        ran_out: false,
        deleted: deletion.map(|deletion| deletion.kind),
        elsewhere: false,
    };
    let is_unreplied = in_table.is_some_and(|flow| flow.status & status::SEEN_REPLY == 0);
    let end = End {
        key: Some(key),
        orig: Tuple::from_words(first.orig),
        closing: facts.closing(&answer.seen, false),
        seen: &answer.seen,
        unreplied: is_unreplied.then_some(&answer),
        deletion,
        left_s: in_table
            .and_then(|flow| flow.left_s(model.now_ns()))
            .and_then(|left_s| u32::try_from(left_s).ok()),
    };
    let mut out = traced.lines.into_bytes();
    match is_json {
        false => end.text(&mut out, &start.names, model.now_ns()),
        true => end.json(&mut out, &start.names),
    }
    String::from_utf8(out).unwrap()
}

/// Passes observations on.
struct Lines<F>(F);

impl<F> std::fmt::Debug for Lines<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").finish_non_exhaustive()
    }
}

impl<F: FnMut(&mut Vec<u8>, Observation<'_>)> crate::render::printed::Printer for Lines<F> {
    fn print(&mut self, out: &mut Vec<u8>, observation: Observation<'_>) {
        (self.0)(out, observation);
    }
}
