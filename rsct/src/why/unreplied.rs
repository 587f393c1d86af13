//! Verdict on UNREPLIED entries: what conntrack did with the packets that should have answered them.

mod observer;
mod verdict;

use std::collections::{HashMap, HashSet};

use rsct_common::Tuple;

pub(crate) use self::{
    observer::UnrepliedObserver,
    verdict::{Role, Verdict},
};
use crate::{
    flow::{
        Flow, TupleKey,
        delete_kind::DeleteKind,
        outcome::Outcome,
        tuples::{headers, inverse},
    },
    names::status,
};

use super::sightings::{PacketDirection, PacketGroup, Sightings, Times, is_reply_from_another_end};

/// A group of packets that relate to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Their relation to it.
    pub role: Role,
    /// Their common properties.
    pub group: PacketGroup,
    /// Their number and times.
    pub times: Times,
}

/// An entry to judge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    /// The entry in its last state.
    pub flow: Flow,
    /// Kind of its delete, if it was deleted.
    pub ended: Option<DeleteKind>,
}

/// Verdict on an entry, with its evidence.
#[derive(Clone, Debug)]
pub(crate) struct Diagnosis {
    /// The entry.
    pub subject: Subject,
    /// Why it is UNREPLIED.
    pub verdict: Verdict,
    /// The main evidence for the verdict: an index into [`Self::seen`].
    pub because: Option<usize>,
    /// The entry whose replies its packets are.
    pub answers: Option<TupleKey>,
    /// All packets that relate to it, in the order of their first times.
    pub seen: Vec<Seen>,
}

impl Diagnosis {
    /// Number of packets in a role, each counted where it was tracked first.
    pub(crate) fn packets(&self, role: Role) -> u64 {
        self.seen
            .iter()
            .filter(|seen| seen.role == role && seen.group.outcome != Outcome::TrackedAlready)
            .map(|seen| seen.times.packets)
            .sum()
    }

    /// Advice for the reader.
    pub(crate) fn advice(&self) -> &'static str {
        let error = self.because.and_then(|index| self.seen[index].group.error);
        match (self.verdict, error) {
            (Verdict::IcmpError, Some(error)) => error.advice(),
            (verdict, _) => verdict.advice(),
        }
    }

    /// Numbers of the flows that its replies created.
    fn strays(&self) -> impl Iterator<Item = (u64, TupleKey)> {
        let flow = &self.subject.flow;
        let key = flow.tuple_key();
        self.seen
            .iter()
            .filter(|seen| matches!(seen.role, Role::ReplyNotTaken | Role::ReplyFromAnotherEnd))
            .map(|seen| seen.group.flow)
            .filter(|number| ![0, flow.number].contains(number))
            .map(move |number| (number, key))
    }

    /// Time of its last own packet.
    pub(crate) fn last_ns(&self) -> Option<u64> {
        let own = |seen: &&Seen| matches!(seen.role, Role::Request | Role::Reply);
        self.seen.iter().filter(own).map(|seen| seen.times.last_ns).max()
    }
}

/// The seen packets, indexed for the search by entry.
#[derive(Debug)]
pub(crate) struct Index<'a> {
    all: Vec<(&'a PacketGroup, &'a Times)>,
    by_flow: HashMap<u64, Vec<u32>>,
    by_headers: HashMap<Tuple, Vec<u32>>,
    by_end: HashMap<End, Vec<u32>>,
}

/// Destination of packets: protocol, family, address and port.
type End = (u8, [u8; 2], [u8; 16], [u8; 2]);

fn end_of(tuple: &Tuple) -> End {
    (tuple.protonum, tuple.l3num, tuple.dst, tuple.dst_l4)
}

impl<'a> Index<'a> {
    /// Indexes all sightings.
    pub(crate) fn of(sightings: &'a Sightings) -> Self {
        let mut index = Self {
            all: sightings.iter().collect(),
            by_flow: HashMap::new(),
            by_headers: HashMap::new(),
            by_end: HashMap::new(),
        };
        for (number, (group, _)) in (0..).zip(&index.all) {
            if group.flow != 0 {
                index.by_flow.entry(group.flow).or_default().push(number);
            }
            // The headers of refused packets are not known.
            if !matches!(group.direction, PacketDirection::Error | PacketDirection::Refused) {
                index.by_headers.entry(group.headers).or_default().push(number);
                index
                    .by_end
                    .entry(end_of(&group.headers))
                    .or_default()
                    .push(number);
            }
        }
        index
    }

    /// Judges one entry.
    pub(crate) fn judge(&self, subject: Subject) -> Diagnosis {
        let flow = &subject.flow;
        let mut seen = merged(self.seen_of(flow));
        seen.sort_by_key(|seen| (seen.times.first_ns, seen.times.last_ns));
        let (verdict, because) = verdict(flow, &seen);
        Diagnosis {
            subject,
            verdict,
            because,
            answers: None,
            seen,
        }
    }

    /// Judges entries, and finds those whose packets are the replies of others.
    pub(crate) fn judge_all(&self, subjects: impl Iterator<Item = Subject>) -> Vec<Diagnosis> {
        let mut all: Vec<Diagnosis> = subjects.map(|subject| self.judge(subject)).collect();
        let strays: HashMap<u64, TupleKey> = all.iter().flat_map(Diagnosis::strays).collect();
        for answer in &mut all {
            if answer.verdict == Verdict::OneWay
                && let Some(answers) = strays.get(&answer.subject.flow.number)
            {
                answer.verdict = Verdict::StrayReply;
                answer.answers = Some(*answers);
            }
        }
        all
    }

    fn seen_of(&self, flow: &Flow) -> Vec<Seen> {
        let orig = headers(flow.orig_tuple());
        let reply = flow.reply_tuple().map_or_else(|| inverse(&orig), headers);
        let requests = [orig, inverse(&reply)];
        let replies = [reply, inverse(&orig)];
        let mut taken = HashSet::new();
        let mut seen = Vec::new();
        let mut take = |number: u32, role: Role| {
            if taken.insert(number) {
                let (group, times) = self.all[number as usize];
                seen.push(Seen {
                    role,
                    group: *group,
                    times: *times,
                });
            }
        };
        let own = self.by_flow.get(&flow.number).map_or(&[][..], Vec::as_slice);
        let requested_at: Vec<_> = own
            .iter()
            .map(|number| self.all[*number as usize].0)
            .filter(|group| group.direction == PacketDirection::Orig)
            .map(|group| group.place)
            .collect();
        for number in own {
            let (group, _) = self.all[*number as usize];
            take(
                *number,
                match (group.direction, group.outcome) {
                    (PacketDirection::Reply, Outcome::Invalid | Outcome::Dropped) => Role::ReplyNotTaken,
                    (PacketDirection::Orig, _) => Role::Request,
                    (PacketDirection::Error, _) if group.error.is_some_and(|error| error.is_redirect()) => {
                        Role::IcmpRedirect
                    }
                    (PacketDirection::Error, _) => Role::IcmpError,
                    (PacketDirection::Reply, _) => Role::Reply,
                    // Without a request at that hook and interface, it is from the other side.
                    (PacketDirection::Refused, _) if !requested_at.contains(&group.place) => {
                        Role::ReplyNotTaken
                    }
                    (PacketDirection::Refused | PacketDirection::NoEntry, _) => Role::Refused,
                },
            );
        }
        for (tuples, here, elsewhere) in [
            (replies, Role::ReplyNotTaken, Role::ReplyElsewhere),
            (requests, Role::RequestElsewhere, Role::RequestElsewhere),
        ] {
            for number in tuples
                .iter()
                .filter_map(|tuple| self.by_headers.get(tuple))
                .flatten()
            {
                let is_here = self.all[*number as usize].0.place.netns == flow.netns;
                take(*number, if is_here { here } else { elsewhere });
            }
        }
        for number in self.by_end.get(&end_of(&reply)).into_iter().flatten() {
            let (group, _) = self.all[*number as usize];
            if group.place.netns == flow.netns
                && matches!(group.direction, PacketDirection::Orig | PacketDirection::NoEntry)
                && is_reply_from_another_end(&group.headers, &reply)
            {
                take(*number, Role::ReplyFromAnotherEnd);
            }
        }
        seen
    }
}

/// Merges groups that differ only in whether a packet created the entry or found it.
fn merged(seen: Vec<Seen>) -> Vec<Seen> {
    let has_entry = |seen: &Seen| matches!(seen.group.outcome, Outcome::Created | Outcome::Tracked);
    let mut all: Vec<Seen> = Vec::new();
    for one in seen {
        let same = |other: &&mut Seen| {
            let alike = PacketGroup {
                outcome: one.group.outcome,
                ..other.group
            };
            other.role == one.role && has_entry(other) && has_entry(&one) && alike == one.group
        };
        match all.iter_mut().find(same) {
            Some(other) => {
                other.group.outcome = Outcome::Tracked;
                other.times.packets += one.times.packets;
                other.times.first_ns = other.times.first_ns.min(one.times.first_ns);
                other.times.last_ns = other.times.last_ns.max(one.times.last_ns);
            }
            None => all.push(one),
        }
    }
    all
}

/// The verdict on a flow from its packets, and the index of the main evidence.
fn verdict(flow: &Flow, seen: &[Seen]) -> (Verdict, Option<usize>) {
    let most = |role: Role| {
        let of_role = seen.iter().enumerate().filter(|(_, seen)| seen.role == role);
        // Of several with the same number of packets, the first.
        of_role
            .rev()
            .max_by_key(|(_, seen)| seen.times.packets)
            .map(|(index, _)| index)
    };
    if flow.status & status::SEEN_REPLY != 0 {
        return (Verdict::Answered, most(Role::Reply));
    }
    if let Some(index) = most(Role::ReplyNotTaken) {
        let verdict = match seen[index].group.outcome {
            Outcome::Invalid => Verdict::ReplyInvalid,
            Outcome::Untracked => Verdict::ReplyUntracked,
            Outcome::Dropped => Verdict::ReplyDropped,
            Outcome::Created | Outcome::Tracked | Outcome::TrackedAlready => Verdict::ReplyIsAnotherFlow,
        };
        return (verdict, Some(index));
    }
    for (role, verdict) in [
        (Role::IcmpError, Verdict::IcmpError),
        (Role::ReplyFromAnotherEnd, Verdict::ReplyIsAnotherFlow),
        (Role::ReplyElsewhere, Verdict::ReplyElsewhere),
        (Role::Request, Verdict::OneWay),
    ] {
        if let Some(index) = most(role) {
            return (verdict, Some(index));
        }
    }
    (Verdict::NoPacketsNow, None)
}

#[cfg(test)]
mod tests;
