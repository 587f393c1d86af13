//! Why an entry is UNREPLIED, as JSON.

use crate::{
    flow::outcome::Outcome,
    kernel::interfaces::Names,
    names,
    schema::{
        common::InNetns,
        tag,
        trace::FlowEntry,
        why_flow::{NoReply, Seen as SeenObject, Unreplied},
    },
    why::unreplied::{Diagnosis, Role, Seen},
};

use super::{why_details_json::interface, why_unreplied::explanation::explanation};

/// An entry, the packets that concern it, and the conclusion.
pub(super) fn answer(answer: &Diagnosis, names: &Names, now_ns: u64) -> Unreplied {
    let flow = &answer.subject.flow;
    let ended = answer.subject.ended;
    Unreplied {
        r#type: tag::Unreplied,
        netns: InNetns::of(names, flow.netns),
        zone: flow.zone,
        entry: match ended {
            None => FlowEntry::of(flow, now_ns),
            Some(_) => FlowEntry {
                timeout_s: None,
                ..FlowEntry::of(flow, now_ns)
            },
        },
        kind: ended.map(|kind| kind.name().into()),
        requests: answer.packets(Role::Request),
        replies: answer.packets(Role::Reply),
        last_ns: answer.last_ns(),
        seen: seen(&answer.seen, names),
        no_reply: no_reply(answer, names),
    }
}

/// The packets that concern an entry, by place.
pub(super) fn seen(all: &[Seen], names: &Names) -> Vec<SeenObject> {
    all.iter().map(|seen| packets(seen, names)).collect()
}

/// The conclusion, and what to do about it.
pub(super) fn no_reply(answer: &Diagnosis, names: &Names) -> NoReply {
    NoReply {
        conclusion: answer.verdict.name().into(),
        explanation: explanation(answer, names),
        advice: answer.advice().into(),
    }
}

fn packets(seen: &Seen, names: &Names) -> SeenObject {
    let (group, times) = (&seen.group, &seen.times);
    let place = group.place;
    // Of refused packets it is not known.
    let has_headers = seen.role != Role::Refused && !(group.flow != 0 && is_refused(group.outcome));
    SeenObject {
        role: seen.role.name().into(),
        netns: InNetns::of(names, place.netns),
        hook: names::hook(place.hook).into(),
        ifindex: place.ifindex,
        interface: interface(names, place.netns, place.ifindex),
        outcome: group.outcome.name().into(),
        zone: group.zone,
        flow: (group.flow != 0).then_some(group.flow),
        icmp: group.error.as_ref().map(Into::into),
        headers: has_headers.then(|| (&group.headers).into()),
        packets: times.packets,
        first_ns: times.first_ns,
        last_ns: times.last_ns,
    }
}

fn is_refused(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Invalid | Outcome::Dropped)
}
