//! Verdict on one requested flow.

mod closing;

use std::collections::HashSet;

use rsct_common::{
    Tuple,
    record::{EntryFlags, EntryKind, EntryRecord, PacketRecord},
};

pub(crate) use self::closing::{Closing, FlowFacts};
use crate::causes::Cause;
use crate::{
    flow::{
        Flow, TupleKey,
        delete_kind::{self, DeleteKind},
        tuples::{headers, inverse},
    },
    observe::Observation,
    render::printed::Printer,
};

use super::{
    sightings::{PacketGroup, Sightings},
    unreplied::{Role, Seen, UnrepliedObserver},
    words::NamedFlow,
};

/// A recorded delete.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deletion {
    /// The entry.
    pub key: TupleKey,
    /// Kind of delete.
    pub kind: DeleteKind,
    /// Its cause, if one was recorded.
    pub why: Option<Cause>,
    /// The task on whose stack it happened, if it was one's: name and id.
    pub task: Option<([u8; 16], u32)>,
    /// The flow at that moment.
    pub flow: Option<Flow>,
}

/// The packet headers that belong to a flow.
#[derive(Clone, Debug, Default)]
pub(crate) struct FlowTuples(HashSet<Tuple>);

impl FlowTuples {
    /// The headers of the named flow.
    pub(crate) fn of(named: &NamedFlow) -> Self {
        let mut tuples = Self::default();
        tuples.add(&named.orig);
        if let Some(reply) = &named.reply {
            tuples.add(reply);
        }
        tuples
    }

    /// Adds a direction, and that of its answers.
    pub(crate) fn add(&mut self, tuple: &Tuple) {
        self.0.insert(headers(*tuple));
        self.0.insert(inverse(tuple));
    }

    /// Returns whether a direction belongs to the flow.
    pub(crate) fn has(&self, tuple: &Tuple) -> bool {
        self.0.contains(&headers(*tuple))
    }

    /// The packets with these headers; those in the direction of `orig` are requests.
    pub(crate) fn seen_in(&self, sightings: &Sightings, orig: &Tuple) -> Vec<Seen> {
        let is_it = |group: &PacketGroup| self.has(&group.headers);
        let mut seen: Vec<Seen> = sightings
            .iter()
            .filter(|(group, _)| is_it(group))
            .map(|(group, times)| Seen {
                role: if group.headers == headers(*orig) {
                    Role::Request
                } else {
                    Role::Reply
                },
                group: *group,
                times: *times,
            })
            .collect();
        seen.sort_by_key(|seen| (seen.times.first_ns, seen.times.last_ns));
        seen
    }
}

/// Consumes observations, and writes those of the flow.
pub(crate) struct FlowObserver<W> {
    /// Its headers. Each entry that translates it adds more.
    pub tuples: FlowTuples,
    /// The packets of all flows.
    pub watching: UnrepliedObserver,
    /// Deletes of the flow's entries.
    pub deletions: Vec<Deletion>,
    /// Number of lines written.
    pub lines: u64,
    write: W,
}

impl<W> std::fmt::Debug for FlowObserver<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FlowObserver")
            .field("tuples", &self.tuples)
            .finish_non_exhaustive()
    }
}

impl<W: FnMut(&mut Vec<u8>, Observation<'_>)> FlowObserver<W> {
    /// Observes a flow. `write` writes the line for an observation.
    pub(crate) fn new(tuples: FlowTuples, write: W) -> Self {
        Self {
            tuples,
            watching: UnrepliedObserver::default(),
            deletions: Vec::new(),
            lines: 0,
            write,
        }
    }

    fn concerns_packet(&self, record: &PacketRecord, flow: Option<&Flow>) -> bool {
        self.tuples.has(&Tuple::from_words(record.tuple))
            || flow
                .and_then(Flow::reply_tuple)
                .is_some_and(|reply| self.tuples.has(&reply))
    }

    fn concerns_entry(&mut self, record: &EntryRecord) -> bool {
        let (orig, reply) = (Tuple::from_words(record.orig), Tuple::from_words(record.reply));
        let concerns = self.tuples.has(&orig) || self.tuples.has(&reply);
        if concerns && reply != Tuple::default() {
            self.tuples.add(&orig);
            self.tuples.add(&reply);
        }
        concerns
    }
}

impl<W: FnMut(&mut Vec<u8>, Observation<'_>)> Printer for FlowObserver<W> {
    fn print(&mut self, out: &mut Vec<u8>, observation: Observation<'_>) {
        self.watching.print(out, observation);
        let concerns = if let Observation::Packet(record, flow, ..) = observation {
            self.concerns_packet(record, flow)
        } else if let Observation::Entry(record, flow, why) = observation {
            let concerns = self.concerns_entry(record);
            if concerns
                && EntryKind::from_byte(record.what) == Some(EntryKind::Delete)
                && delete_kind::deleted(record)
            {
                self.deletions.push(Deletion {
                    key: TupleKey::of_entry(record),
                    kind: DeleteKind::of(record),
                    why: why.map(|why| why.cause),
                    task: (record.flags & EntryFlags::TASK != 0).then_some((record.comm, record.pid)),
                    flow: flow.copied(),
                });
            }
            concerns
        } else {
            false
        };
        if concerns {
            self.lines += 1;
            (self.write)(out, observation);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::why::words;

    #[test]
    fn a_flow_has_the_headers_of_both_directions_and_of_their_answers() {
        let named = words::parse(&[
            "udp src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.9 sport=2 dport=7",
        ])
        .unwrap();
        let tuples = FlowTuples::of(&named);
        for (typed, is_it) in [
            ("udp src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2", true),
            ("udp src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1", true),
            ("udp src=10.0.0.9 dst=10.0.0.2 sport=7 dport=2", true),
            ("udp src=10.0.0.2 dst=10.0.0.9 sport=2 dport=7", true),
            ("tcp src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2", false),
            ("udp src=10.0.0.1 dst=10.0.0.2 sport=1 dport=3", false),
        ] {
            let tuple = words::parse(&[typed]).unwrap().orig;
            assert_eq!(tuples.has(&tuple), is_it, "{typed}");
        }
    }
}
