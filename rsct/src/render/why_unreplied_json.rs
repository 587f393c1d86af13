//! Why an entry stays UNREPLIED, as members of a JSON object, described in docs/json.md.

use std::io::Write as _;

use rsct_common::Tuple;

use crate::{
    flow::{
        names::{self, status},
        observation::Outcome,
    },
    kernel::interfaces::Names,
    why::unreplied::{Answer, Role, Seen},
};

use super::{
    bytes, trace_json,
    why_unreplied::explanation::{explanation, left_seconds},
};

/// Members of an object that goes on: the entry, what was met of it, what follows.
pub(super) fn answer(out: &mut Vec<u8>, answer: &Answer, names: &Names, now_ns: u64) {
    let flow = &answer.subject.flow;
    netns_members(out, flow.netns, names);
    let _ = write!(out, ",\"zone\":{}", flow.zone);
    trace_json::tuple(out, b",\"orig\":{", flow.orig);
    if flow.reply_known {
        trace_json::tuple(out, b",\"reply\":{", flow.reply);
    }
    out.extend_from_slice(b",\"status\":[");
    for (index, name) in status::names(flow.status).enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(out, "{comma}\"{name}\"");
    }
    out.push(b']');
    if let Some(state) = names::state(Tuple::from_words(flow.orig).protonum, flow.state) {
        let _ = write!(out, ",\"state\":\"{state}\"");
    }
    match answer.subject.ended {
        Some(cause) => {
            let _ = write!(out, ",\"ended\":\"{}\"", cause.name());
        }
        None => {
            if let Some(left) = left_seconds(flow, now_ns) {
                let _ = write!(out, ",\"timeout_seconds\":{left}");
            }
        }
    }
    let _ = write!(
        out,
        ",\"requests\":{},\"replies\":{}",
        answer.packets(Role::Request),
        answer.packets(Role::Reply)
    );
    if let Some(last_ns) = answer.last_ns() {
        let _ = write!(out, ",\"last_ns\":{last_ns}");
    }
    seen(out, &answer.seen, names);
    out.push(b',');
    conclusion(out, answer, names);
}

/// A member: all packets that were met, by place.
pub(super) fn seen(out: &mut Vec<u8>, all: &[Seen], names: &Names) {
    out.extend_from_slice(b",\"seen\":[");
    for (index, seen) in all.iter().enumerate() {
        if index != 0 {
            out.push(b',');
        }
        packets(out, seen, names);
    }
    out.push(b']');
}

/// Members: what follows, and what to do.
pub(super) fn conclusion(out: &mut Vec<u8>, answer: &Answer, names: &Names) {
    let _ = write!(
        out,
        "\"verdict\":\"{}\",\"explanation\":\"",
        answer.verdict.name()
    );
    bytes::json_text(out, explanation(answer, names).as_bytes());
    out.extend_from_slice(b"\",\"advice\":\"");
    bytes::json_text(out, answer.advice().as_bytes());
    out.push(b'"');
}

/// Members: a namespace's name and inode number.
pub(super) fn netns_members(out: &mut Vec<u8>, netns: u32, names: &Names) {
    out.extend_from_slice(b",\"netns\":\"");
    bytes::json_text(out, names.netns(netns).as_str().as_bytes());
    let _ = write!(out, "\",\"netns_inode\":{netns}");
}

fn packets(out: &mut Vec<u8>, seen: &Seen, names: &Names) {
    let (passing, times) = (&seen.passing, &seen.times);
    let place = passing.place;
    let _ = write!(out, "{{\"role\":\"{}\"", seen.role.name());
    netns_members(out, place.netns, names);
    let _ = write!(
        out,
        ",\"hook\":\"{}\",\"ifindex\":{}",
        names::hook(place.hook),
        place.ifindex
    );
    if let Some(interface) = names.interface(place.netns, place.ifindex) {
        out.extend_from_slice(b",\"interface\":\"");
        bytes::json_text(out, interface.as_str().as_bytes());
        out.push(b'"');
    }
    let _ = write!(
        out,
        ",\"outcome\":\"{}\",\"zone\":{}",
        passing.outcome.name(),
        passing.zone
    );
    if passing.flow != 0 {
        let _ = write!(out, ",\"flow\":{}", passing.flow);
    }
    if let Some(error) = &passing.error {
        trace_json::icmp_error(out, error);
    }
    // Of refused packets it is not known.
    if seen.role != Role::Refused && !(passing.flow != 0 && is_refused(passing.outcome)) {
        trace_json::tuple(out, b",\"headers\":{", passing.headers.to_words());
    }
    let _ = write!(
        out,
        ",\"packets\":{},\"first_ns\":{},\"last_ns\":{}}}",
        times.packets, times.first_ns, times.last_ns
    );
}

fn is_refused(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Invalid | Outcome::Dropped)
}
