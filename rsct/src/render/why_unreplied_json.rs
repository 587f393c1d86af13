//! Why an entry is UNREPLIED, as JSON.

use crate::{
    flow::outcome::Outcome,
    kernel::interfaces::Names,
    names,
    schema::{
        common::{name_of, state_name, status_names},
        tag,
        why::{NoReply, Seen as SeenObject, Unreplied},
    },
    why::unreplied::{Diagnosis, Role, Seen},
};

use super::{
    why_details_json::interface,
    why_unreplied::explanation::{explanation, left_seconds},
};

/// An entry, the packets that concern it, and the conclusion.
pub(super) fn answer(answer: &Diagnosis, names: &Names, now_ns: u64) -> Unreplied {
    let flow = &answer.subject.flow;
    let ended = answer.subject.ended;
    let NoReply {
        conclusion,
        explanation,
        advice,
    } = no_reply(answer, names);
    Unreplied {
        r#type: tag::Unreplied,
        netns: flow.netns.into(),
        netns_name: name_of(names, flow.netns),
        zone: flow.zone,
        orig: flow.orig.into(),
        reply: flow.reply_known.then(|| flow.reply.into()),
        status: status_names(flow.status),
        state: state_name(flow.orig_tuple().protonum, flow.state),
        timeout_s: if ended.is_none() {
            left_seconds(flow, now_ns)
        } else {
            None
        },
        kind: ended.map(|kind| kind.name().into()),
        requests: answer.packets(Role::Request),
        replies: answer.packets(Role::Reply),
        last_ns: answer.last_ns(),
        seen: seen(&answer.seen, names),
        conclusion,
        explanation,
        advice,
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
        netns: place.netns.into(),
        netns_name: name_of(names, place.netns),
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
