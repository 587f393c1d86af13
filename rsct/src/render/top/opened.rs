//! The windows of an opened flow and of an opened cause.

use rsct_common::Tuple;

use crate::{
    causes::{Cause, tally::FlowName},
    flow::{Flow, TupleKey},
    kernel::interfaces::Names,
    names::{self, status},
    render::{
        color::Palette,
        printed::Printer as _,
        trace_text::{Look, Style, TraceText},
        why_flow::End,
    },
    snapshot::{Collector, History, Interval},
    why::{
        flow::{FlowFacts, FlowObserver, FlowTuples},
        unreplied::{Index, Seen, Subject},
    },
};

use super::pane::{self, printable};

/// Lines of a flow's history: the last ones.
const LINES: usize = 100;

/// A flow's entry, the verdict of `rsct why FLOW`, and its last records.
pub(crate) fn flow(name: &FlowName, names: &Names, of: &Collector) -> String {
    let known = known(name, of);
    let mut text = pane::flow(name, names);
    if let Some(flow) = known {
        let state = names::state(flow.orig_tuple().protonum, flow.state).unwrap_or("none");
        let bits: Vec<&str> = status::names(flow.status).collect();
        text.push_str(&format!("\nstate {state}, status {}", bits.join(",")));
        if let Some(left) = flow.left_s(of.model.now_ns()) {
            text.push_str(&format!(", expires in {left} s"));
        }
    }
    let Some(history) = of.history() else { return text };
    let mut tuples = FlowTuples::default();
    tuples.add(&Tuple::from_words(name.tuple));
    if let Some(reply) = known.and_then(Flow::reply_tuple) {
        tuples.add(&reply);
    }
    let mut lines = TraceText::new(look(names, of));
    let mut observer = FlowObserver::new(tuples, move |out, observation| lines.line(out, observation));
    let mut out = Vec::new();
    history.replay(|observation| observer.print(&mut out, observation));
    text.push('\n');
    text.push_str(&verdict(name, known, &observer, names, of));
    text.push_str(&records(&out, history));
    text
}

/// The entry of a flow, if the table has one.
pub(crate) fn known<'a>(name: &FlowName, of: &'a Collector) -> Option<&'a Flow> {
    of.model.table.of_tuple(&key(name))
}

fn key(name: &FlowName) -> TupleKey {
    TupleKey {
        netns: name.netns,
        zone: name.zone,
        orig: name.tuple,
    }
}

/// The entry of a flow whose reply direction no record has shown yet.
pub(crate) fn without_reply(name: &FlowName, of: &Collector) -> Option<TupleKey> {
    known(name, of)
        .filter(|flow| flow.is_confirmed() && !flow.reply_known)
        .map(Flow::tuple_key)
}

fn look(names: &Names, of: &Collector) -> Look {
    Look {
        ticks: of.setup().hz,
        start_ns: of.started_ns(),
        show_netns: false,
        style: Style::default(),
        palette: Palette::PLAIN,
        names: names.clone(),
    }
}

/// The end of `rsct why FLOW`, judged from the kept records.
fn verdict<W>(
    name: &FlowName,
    known: Option<&Flow>,
    observer: &FlowObserver<W>,
    names: &Names,
    of: &Collector,
) -> String {
    let key = key(name);
    let deletion = observer.deletions.iter().rfind(|deletion| deletion.key == key);
    let index = Index::of(&observer.watching.sightings);
    let flow = known
        .copied()
        .or_else(|| deletion.and_then(|deletion| deletion.flow));
    let answer = flow.map(|flow| index.judge(Subject { flow, ended: None }));
    let orig = Tuple::from_words(name.tuple);
    let of_tuple;
    let seen: &[Seen] = match &answer {
        Some(answer) => &answer.seen,
        None => {
            of_tuple = observer.tuples.seen_in(&observer.watching.sightings, &orig);
            &of_tuple
        }
    };
    let in_table = known.filter(|flow| flow.is_confirmed());
    let is_tracked = |seen: &Seen| seen.group.outcome == crate::flow::outcome::Outcome::Tracked;
    let facts = FlowFacts {
        status: in_table.map(|flow| flow.status),
        was_there: seen.iter().any(is_tracked),
        ran_out: false,
        deleted: deletion.map(|deletion| deletion.kind),
        elsewhere: false,
    };
    let now_ns = of.model.now_ns();
    let is_unreplied = in_table.is_some_and(|flow| flow.status & status::SEEN_REPLY == 0);
    let end = End {
        key: Some(key),
        orig,
        closing: facts.closing(seen, false),
        seen,
        unreplied: answer.as_ref().filter(|_| is_unreplied),
        deletion,
        left_s: in_table
            .and_then(|flow| flow.left_s(now_ns))
            .and_then(|left| u32::try_from(left).ok()),
    };
    let mut out = Vec::new();
    end.text(&mut out, names, now_ns);
    let text = String::from_utf8_lossy(&out);
    // The first line repeats the flow.
    text.split_once('\n').map_or("", |(_, rest)| rest).to_owned()
}

/// The last lines of a history.
fn records(out: &[u8], history: &History) -> String {
    let text = String::from_utf8_lossy(out);
    let lines: Vec<&str> = text.lines().collect();
    let shown = &lines[lines.len().saturating_sub(LINES)..];
    let cut = match shown.len() < lines.len() || history.is_cut() {
        true => " (older ones were dropped)",
        false => "",
    };
    let mut text = format!("its last records{cut}:\n");
    for line in shown {
        text.push_str(&printable(line));
        text.push('\n');
    }
    text
}

/// A cause: its meaning, advice, flows and last records.
pub(crate) fn cause(cause: Cause, interval: &Interval<'_>, names: &Names, of: &Collector) -> String {
    let mut text = format!(
        "{}: {}\nwhat to do: {}",
        cause.name(),
        cause.meaning(),
        cause.advice()
    );
    let Some(counted) = interval.now.causes.iter().find(|of| of.cause == cause) else {
        return text;
    };
    text.push_str(&format!(
        "\n{} since the start, counted by {}",
        counted.count,
        match counted.by_kernel {
            true => "the kernel's programs",
            false => "records",
        }
    ));
    let flows = counted.flows.first(5);
    if !flows.is_empty() {
        text.push_str("\nflows with the most records:");
    }
    for (flow, count) in flows {
        text.push_str(&format!("\n{count:>8}  {}", printable(&pane::flow(&flow, names))));
    }
    let mut lines = TraceText::new(look(names, of));
    let mut out = Vec::new();
    for why in counted.examples.iter().rev() {
        lines.line(&mut out, crate::observe::Observation::Cause(why));
    }
    if !out.is_empty() {
        text.push_str("\nexamples, the last one first:");
    }
    for line in String::from_utf8_lossy(&out).lines() {
        text.push('\n');
        text.push_str(&printable(line));
    }
    text
}
