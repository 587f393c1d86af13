//! Why entries stay UNREPLIED, for people and as JSON.

use std::{fmt::Write as _, io::Write as _, time::Duration};

use rsct_common::Tuple;

use crate::{
    flow::{
        Flow,
        names::{self, status},
        tuples::headers,
    },
    kernel::interfaces::Names,
    plural,
    schema::{tag, why::UnrepliedSummary},
    why::{
        sightings::Place,
        unreplied::{Answer, Role, Seen, Verdict},
    },
};

use super::{bytes, story, why_unreplied_json};

/// All there is to say at the end.
#[derive(Debug)]
pub struct Report<'a> {
    /// The entries, those with most packets first.
    pub answers: &'a [Answer],
    /// How many of them are listed.
    pub most: usize,
    /// Entries that went without a reply, of which nothing more is known.
    pub more_ended: u64,
    /// What namespaces and interfaces are called.
    pub names: &'a Names,
    /// For how long.
    pub watched: Duration,
    /// The time on the monotonic clock.
    pub now_ns: u64,
    /// Records that were lost.
    pub lost: u64,
    /// Packets that were not kept apart.
    pub unkept: u64,
}

impl Report<'_> {
    /// For people.
    pub fn text(&self, out: &mut Vec<u8>) {
        for answer in self.answers.iter().take(self.most) {
            entry(out, answer, self.names, self.now_ns);
            seen(
                out,
                &answer.seen,
                Some(&answer.subject.flow),
                self.names,
                self.now_ns,
            );
            conclusion(out, answer, self.names);
            out.push(b'\n');
        }
        // Writing to a Vec cannot fail.
        let _ = write!(
            out,
            "{} UNREPLIED entr{}, watched for {:.1} s",
            self.answers.len(),
            plural::choose(&self.answers.len(), "y", "ies"),
            self.watched.as_secs_f64()
        );
        let mut before = ": ";
        for (verdict, count) in self.counts() {
            let _ = write!(out, "{before}{count} {}", verdict.name());
            before = ", ";
        }
        out.push(b'\n');
        if self.answers.len() > self.most {
            let _ = writeln!(
                out,
                "{} of them are not listed (--top)",
                self.answers.len() - self.most
            );
        }
        if self.more_ended != 0 {
            let _ = writeln!(
                out,
                "{} more went without a reply: too many to keep",
                self.more_ended
            );
        }
        losses(out, self.lost, self.unkept);
    }

    /// An object for each entry, and one for all.
    pub fn json(&self, out: &mut Vec<u8>) {
        for answer in self.answers.iter().take(self.most) {
            bytes::json_line(out, &why_unreplied_json::answer(answer, self.names, self.now_ns));
        }
        let line = UnrepliedSummary {
            r#type: tag::WhyUnreplied,
            unreplied: self.answers.len(),
            listed: self.answers.len().min(self.most),
            conclusions: self
                .counts()
                .map(|(verdict, count)| (verdict.name().into(), count))
                .collect(),
            more_ended: self.more_ended,
            elapsed_ns: self.watched.as_nanos() as u64,
            lost_total: self.lost,
            unkept: self.unkept,
        };
        bytes::json_line(out, &line);
    }

    fn counts(&self) -> impl Iterator<Item = (Verdict, usize)> {
        let of = |verdict| {
            let is_it = |answer: &&Answer| answer.verdict == verdict;
            self.answers.iter().filter(is_it).count()
        };
        Verdict::ALL
            .into_iter()
            .map(move |verdict| (verdict, of(verdict)))
            .filter(|(_, count)| *count != 0)
    }
}

/// What is not known because it was lost.
pub(super) fn losses(out: &mut Vec<u8>, lost: u64, unkept: u64) {
    if lost != 0 {
        let _ = writeln!(
            out,
            "{} LOST: as many packets may be missing above",
            plural::count(lost, "record was", "records were")
        );
    }
    if unkept != 0 {
        let _ = writeln!(
            out,
            "{} not kept apart, as there were too many kinds, and missing above",
            plural::count(unkept, "packet was", "packets were")
        );
    }
}

/// The entry, in a line: `udp 10.0.0.1:1 > 10.0.0.2:53, netns client, UNREPLIED, 27s left`.
fn entry(out: &mut Vec<u8>, answer: &Answer, names: &Names, now_ns: u64) {
    let flow = &answer.subject.flow;
    let orig = flow.orig_tuple();
    story::protocol(out, orig.protonum);
    out.push(b' ');
    story::ends(out, &orig);
    let _ = write!(out, ", netns {}", names.netns(flow.netns));
    if flow.zone != 0 {
        let _ = write!(out, ", zone {}", flow.zone);
    }
    if let Some(state) = names::state(orig.protonum, flow.state) {
        let _ = write!(out, ", {state}");
    }
    if flow.status & status::SEEN_REPLY == 0 {
        out.extend_from_slice(b", UNREPLIED");
    }
    match (answer.subject.ended, left_seconds(flow, now_ns)) {
        (Some(cause), _) => {
            let _ = write!(out, ", gone ({})", cause.name());
        }
        (None, Some(left)) => {
            let _ = write!(out, ", {left}s left");
        }
        (None, None) => {}
    }
    out.push(b'\n');
}

/// What packets were met, by place; `flow`: whose, where that is one entry.
pub(super) fn seen(out: &mut Vec<u8>, all: &[Seen], flow: Option<&Flow>, names: &Names, now_ns: u64) {
    for seen in all {
        let _ = write!(
            out,
            "  {:<22} {:>7} packet{}  {}",
            seen.role.name().replace('_', " "),
            seen.times.packets,
            plural::choose(&seen.times.packets, " ", "s"),
            place(seen.passing.place, names)
        );
        if seen.passing.zone != 0 {
            let _ = write!(out, ", zone {}", seen.passing.zone);
        }
        let _ = write!(
            out,
            ", {}, the last {:.1} s ago",
            seen.passing.outcome.name(),
            now_ns.saturating_sub(seen.times.last_ns) as f64 / 1e9
        );
        if let Some(error) = seen.passing.error {
            let _ = write!(out, ", {} from {}", error.name(), error.from());
        }
        if seen.role == Role::ReplyFromAnotherEnd || flow.is_some_and(|flow| is_translated(seen, flow)) {
            out.extend_from_slice(b", ");
            story::ends(out, &seen.passing.headers);
        }
        out.push(b'\n');
    }
}

/// What follows, and what to do.
pub(super) fn conclusion(out: &mut Vec<u8>, answer: &Answer, names: &Names) {
    let _ = writeln!(
        out,
        "  {}: {}\n  what to do: {}",
        answer.verdict.name(),
        explanation(answer, names),
        answer.advice()
    );
}

/// Whether packets carry other addresses than the entry shows: worth a look where NAT is at work.
fn is_translated(seen: &Seen, flow: &Flow) -> bool {
    let expected = if seen.role.is_reply() {
        flow.reply_tuple()
    } else {
        Some(flow.orig_tuple())
    };
    !matches!(seen.role, Role::Refused | Role::IcmpError | Role::IcmpRedirect)
        && expected.is_some_and(|expected| headers(expected) != seen.passing.headers)
}

/// `PRE_ROUTING on eth0, netns client`.
fn place(place: Place, names: &Names) -> String {
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

/// The verdict's meaning, with what it leans on.
pub(super) fn explanation(answer: &Answer, names: &Names) -> String {
    let mut text = answer.verdict.meaning().to_owned();
    if answer.verdict == Verdict::NoPacketsNow && answer.subject.ended.is_some() {
        text.push_str(", and it is gone by now");
    }
    if answer.verdict == Verdict::NoPacketsNow {
        elsewhere(&mut text, answer);
    }
    let Some(seen) = answer.because.and_then(|index| answer.seen.get(index)) else {
        return text;
    };
    let packets = plural::count(seen.times.packets, "packet", "packets");
    let _ = write!(text, ": {packets} at {}", place(seen.passing.place, names));
    if let Some(error) = seen.passing.error {
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
                let _ = write!(text, "; they get to {}", place(arrived.passing.place, names));
            }
        }
        Verdict::StrayReply => {
            if let Some(key) = answer.answers {
                let mut ends = Vec::new();
                story::ends(&mut ends, &Tuple::from_words(key.orig));
                let _ = write!(text, "; the entry is {}", String::from_utf8_lossy(&ends));
            }
        }
        _ => {}
    }
    text
}

/// Where packets go that have the entry's tuple, and are not its own.
fn elsewhere(text: &mut String, answer: &Answer) {
    let flow = &answer.subject.flow;
    let is_here = |seen: &&Seen| {
        seen.role == Role::RequestElsewhere
            && seen.passing.place.netns == flow.netns
            && seen.passing.zone != flow.zone
    };
    if let Some(seen) = answer.seen.iter().rfind(is_here) {
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "; packets with its tuple meet zone {} now",
            seen.passing.zone
        );
    }
}

/// What keeps a reply from being the entry's.
fn another_flow(text: &mut String, seen: &Seen, flow: &Flow) {
    if seen.role == Role::ReplyFromAnotherEnd {
        let mut ends = Vec::new();
        story::ends(&mut ends, &seen.passing.headers);
        let _ = write!(
            text,
            ", from another address or port than was asked ({})",
            String::from_utf8_lossy(&ends)
        );
    } else if seen.passing.zone != flow.zone {
        let _ = write!(
            text,
            ", in zone {}, the entry is in zone {}",
            seen.passing.zone, flow.zone
        );
    } else if is_translated(seen, flow) {
        let mut ends = Vec::new();
        let reply = flow.reply_tuple().unwrap_or_default();
        story::ends(&mut ends, &reply);
        let _ = write!(
            text,
            ", not translated as the entry is, which waits for {}",
            String::from_utf8_lossy(&ends)
        );
    }
}

/// Whole seconds left, as ctnetlink counts them.
pub(super) fn left_seconds(flow: &Flow, now_ns: u64) -> Option<u64> {
    flow.expires_ns
        .map(|expires_ns| expires_ns.saturating_sub(now_ns) / 1_000_000_000)
}
