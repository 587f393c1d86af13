//! Why entries stay UNREPLIED, for people and as JSON.

pub(super) mod explanation;

use std::{io::Write as _, time::Duration};

use crate::{
    flow::Flow,
    kernel::interfaces::Names,
    names::{self, status},
    plural,
    schema::{tag, why_flow::UnrepliedSummary},
    why::unreplied::{Diagnosis, Role, Seen, Verdict},
};

use super::{bytes, why_unreplied_json, words};
use explanation::{explanation, is_translated, place};

/// The result at the end of the watch.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    /// The entries, those with most packets first.
    pub answers: &'a [Diagnosis],
    /// How many of them are listed.
    pub most: usize,
    /// Further entries that ended without a reply.
    pub more_ended: u64,
    /// Names of namespaces and interfaces.
    pub names: &'a Names,
    /// Duration of the watch.
    pub watched: Duration,
    /// The time on the monotonic clock.
    pub now_ns: u64,
    /// Records that were lost.
    pub lost: u64,
    /// Packets that were not kept: too many kinds.
    pub unkept: u64,
}

impl Report<'_> {
    /// For people.
    pub(crate) fn text(&self, out: &mut Vec<u8>) {
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
                "{} more ended without a reply: too many to list",
                self.more_ended
            );
        }
        losses(out, self.lost, self.unkept);
    }

    /// An object for each entry, and one for all.
    pub(crate) fn json(&self, out: &mut Vec<u8>) {
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
            let is_it = |answer: &&Diagnosis| answer.verdict == verdict;
            self.answers.iter().filter(is_it).count()
        };
        Verdict::ALL
            .into_iter()
            .map(move |verdict| (verdict, of(verdict)))
            .filter(|(_, count)| *count != 0)
    }
}

/// Records and packets that are missing above.
pub(super) fn losses(out: &mut Vec<u8>, lost: u64, unkept: u64) {
    if lost != 0 {
        let _ = writeln!(
            out,
            "{} LOST: up to that many packets are missing above",
            plural::count(lost, "record was", "records were")
        );
    }
    if unkept != 0 {
        let _ = writeln!(
            out,
            "{} of too many kinds to list, and not counted above",
            plural::count(unkept, "packet was", "packets were")
        );
    }
}

/// The entry, in a line: `udp 10.0.0.1:1 > 10.0.0.2:53, netns client, UNREPLIED, 27s left`.
fn entry(out: &mut Vec<u8>, answer: &Diagnosis, names: &Names, now_ns: u64) {
    let flow = &answer.subject.flow;
    let orig = flow.orig_tuple();
    words::tuple(out, &orig);
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
    match (answer.subject.ended, flow.left_s(now_ns)) {
        (Some(cause), _) => {
            let _ = write!(out, ", deleted ({})", cause.name());
        }
        (None, Some(left)) => {
            let _ = write!(out, ", {left}s left");
        }
        (None, None) => {}
    }
    out.push(b'\n');
}

/// The packets seen, by hook and interface; `flow`: the entry that they are compared with.
pub(super) fn seen(out: &mut Vec<u8>, all: &[Seen], flow: Option<&Flow>, names: &Names, now_ns: u64) {
    for seen in all {
        let _ = write!(
            out,
            "  {:<22} {:>7} packet{}  {}",
            seen.role.name().replace('_', " "),
            seen.times.packets,
            plural::choose(&seen.times.packets, " ", "s"),
            place(seen.group.place, names)
        );
        if seen.group.zone != 0 {
            let _ = write!(out, ", zone {}", seen.group.zone);
        }
        let _ = write!(
            out,
            ", {}, the last {:.1} s ago",
            seen.group.outcome.name(),
            now_ns.saturating_sub(seen.times.last_ns) as f64 / 1e9
        );
        if let Some(error) = seen.group.error {
            let _ = write!(out, ", {} from {}", error.name(), error.from());
        }
        if seen.role == Role::ReplyFromAnotherEnd || flow.is_some_and(|flow| is_translated(seen, flow)) {
            out.extend_from_slice(b", ");
            words::ends(out, &seen.group.headers);
        }
        out.push(b'\n');
    }
}

/// The verdict and the advice.
pub(super) fn conclusion(out: &mut Vec<u8>, answer: &Diagnosis, names: &Names) {
    let _ = writeln!(
        out,
        "  {}: {}\n  what to do: {}",
        answer.verdict.name(),
        explanation(answer, names),
        answer.advice()
    );
}
