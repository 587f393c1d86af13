//! The explanation of a verdict on an UNREPLIED entry.

use std::fmt::Write as _;

use rsct_common::Tuple;

use crate::{
    flow::{Flow, HookPoint, tuples::headers},
    kernel::interfaces::Names,
    names, plural,
    render::words,
    why::unreplied::{Diagnosis, Role, Seen, Verdict},
};

/// `PRE_ROUTING on eth0, netns client`.
pub(super) fn place(place: HookPoint, names: &Names) -> String {
    let mut text = names::hook(place.hook).to_owned();
    // Writing to a String cannot fail.
    let _ = match (place.ifindex, names.interface(place.netns, place.ifindex)) {
        (0, _) => Ok(()),
        (_, Some(interface)) => write!(text, " on {interface}"),
        (ifindex, None) => write!(text, " on interface {ifindex}"),
    };
    let _ = write!(text, ", netns {}", names.netns(place.netns));
    text
}

/// The verdict's meaning, with the observation that proves it.
pub(in crate::render) fn explanation(answer: &Diagnosis, names: &Names) -> String {
    let mut text = answer.verdict.meaning().to_owned();
    if answer.verdict == Verdict::NoPacketsNow && answer.subject.ended.is_some() {
        text.push_str(", and it has been deleted since");
    }
    if answer.verdict == Verdict::NoPacketsNow {
        elsewhere(&mut text, answer);
    }
    let Some(seen) = answer.because.and_then(|index| answer.seen.get(index)) else {
        return text;
    };
    let packets = plural::count(seen.times.packets, "packet", "packets");
    let _ = write!(text, ": {packets} at {}", place(seen.group.place, names));
    if let Some(error) = seen.group.error {
        let _ = write!(
            text,
            ", {} (type {} code {}) from {}",
            error.name(),
            error.kind(),
            error.code(),
            error.from()
        );
    }
    match answer.verdict {
        Verdict::ReplyIsAnotherFlow => another_flow(&mut text, seen, &answer.subject.flow),
        Verdict::OneWay => {
            let arrived = answer
                .seen
                .iter()
                .rfind(|seen| seen.role == Role::RequestElsewhere);
            if let Some(arrived) = arrived {
                let _ = write!(text, "; they arrive at {}", place(arrived.group.place, names));
            }
        }
        Verdict::StrayReply => {
            if let Some(key) = answer.answers {
                let mut ends = Vec::new();
                words::ends(&mut ends, &Tuple::from_words(key.orig));
                let _ = write!(text, "; the entry is {}", String::from_utf8_lossy(&ends));
            }
        }
        _ => {}
    }
    text
}

/// The zone of packets with the entry's tuple that belong to another entry.
fn elsewhere(text: &mut String, answer: &Diagnosis) {
    let flow = &answer.subject.flow;
    let is_here = |seen: &&Seen| {
        seen.role == Role::RequestElsewhere
            && seen.group.place.netns == flow.netns
            && seen.group.zone != flow.zone
    };
    if let Some(seen) = answer.seen.iter().rfind(is_here) {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "; packets with its tuple are now in zone {}",
            seen.group.zone
        );
    }
}

/// The reason that a reply does not match the entry.
fn another_flow(text: &mut String, seen: &Seen, flow: &Flow) {
    if seen.role == Role::ReplyFromAnotherEnd {
        let mut ends = Vec::new();
        words::ends(&mut ends, &seen.group.headers);
        let _ = write!(
            text,
            ", from an address or port other than the request's destination ({})",
            String::from_utf8_lossy(&ends)
        );
    } else if seen.group.zone != flow.zone {
        let _ = write!(
            text,
            ", in zone {}, but the entry is in zone {}",
            seen.group.zone, flow.zone
        );
    } else if is_translated(seen, flow) {
        let mut ends = Vec::new();
        let reply = flow.reply_tuple().unwrap_or_default();
        words::ends(&mut ends, &reply);
        let _ = write!(
            text,
            ", not translated like the entry, which expects {}",
            String::from_utf8_lossy(&ends)
        );
    }
}

/// Returns whether packets carry addresses other than the entry's, as with NAT.
pub(super) fn is_translated(seen: &Seen, flow: &Flow) -> bool {
    let expected = if seen.role.is_reply() {
        flow.reply_tuple()
    } else {
        Some(flow.orig_tuple())
    };
    !matches!(seen.role, Role::Refused | Role::IcmpError | Role::IcmpRedirect)
        && expected.is_some_and(|expected| headers(expected) != seen.group.headers)
}
