//! Holding the table against a dump: at the start it seeds, after a loss it closes the gap, at any
//! other time the two should agree.
//!
//! A dump takes time, and records go on coming meanwhile. So a deletion is remembered until the dump
//! is over (an entry the dump read before it died must not come back), and an entry that appeared
//! after the dump began need not be in it.

use std::collections::{BTreeMap, HashMap};

use rsct_common::TupleWords;

use super::{
    FlowKey, Table,
    table::{Flow, TupleKey},
};

/// An entry as a dump tells it.
#[derive(Clone, Copy, Debug)]
pub struct Dumped {
    /// Its name.
    pub key: TupleKey,
    /// The reply direction.
    pub reply: TupleWords,
    /// `ct->status`.
    pub status: u32,
    /// The protocol's state, zero for protocols without.
    pub state: u8,
    /// `ct->mark`.
    pub mark: u32,
    /// What is left of its time.
    pub timeout_seconds: Option<u32>,
}

/// How much of a namespace's entries a dump had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// All of them.
    Whole,
    /// None: all namespaces were to be dumped, and nothing leads to this one.
    Unreached,
    /// None, or not all: it was not asked about, or its dump failed.
    NotAsked,
}

/// Entries deleted since the dump under way began.
#[derive(Debug, Default)]
pub struct Tombstones {
    active: bool,
    buried: HashMap<TupleKey, u64>,
}

impl Tombstones {
    pub(super) fn bury(&mut self, key: TupleKey, time_ns: u64) {
        if self.active {
            self.buried.insert(key, time_ns);
        }
    }
}

/// One difference between the two sources.
#[derive(Clone, Copy, Debug)]
pub struct Difference {
    /// What differs.
    pub kind: DifferenceKind,
    /// The flow as the table had it, or as the dump told it.
    pub flow: Flow,
}

/// What differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DifferenceKind {
    /// In the dump, and no record told of it.
    OnlyInDump,
    /// Records told of it, and it is not in the dump, nor has it expired.
    OnlyFromProbe,
    /// Both know it, with another status.
    Status,
}

impl DifferenceKind {
    /// The name in output and documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::OnlyInDump => "only_in_dump",
            Self::OnlyFromProbe => "only_from_probe",
            Self::Status => "status",
        }
    }
}

/// What dumps have brought to light.
#[derive(Debug, Default)]
pub struct Reconciliation {
    /// Dumps taken.
    pub dumps: u32,
    /// Flows whose end was never told: another had their tuple.
    pub replaced: u64,
    /// The differences found.
    pub differences: Vec<Difference>,
    /// The namespaces that the last dump did not reach, and how many flows the probes know in each.
    pub unreached: BTreeMap<u32, usize>,
    begun_ns: u64,
    seeding: bool,
}

impl Table {
    /// A dump begins now. `seeding`: nothing was known before, so what it brings is no difference.
    pub fn begin_dump(&mut self, now_ns: u64, seeding: bool) {
        self.reconciliation.dumps += 1;
        self.reconciliation.begun_ns = now_ns;
        self.reconciliation.seeding = seeding;
        self.tombstones.active = true;
        self.tombstones.buried.clear();
    }

    /// One entry of the dump, read at `now_ns` at the latest.
    pub fn dumped(&mut self, entry: &Dumped, now_ns: u64) {
        let generation = self.reconciliation.dumps;
        let begun_ns = self.reconciliation.begun_ns;
        let expires_ns = entry
            .timeout_seconds
            .map(|left| now_ns + u64::from(left) * 1_000_000_000);
        let known = self.find_tuple(&entry.key);
        if known.is_none() && self.tombstones.buried.contains_key(&entry.key) {
            return;
        }
        let index = known.unwrap_or_else(|| self.add(FlowKey::default(), entry.key));
        let seeding = self.reconciliation.seeding;
        let flow = self.flow_mut(index);
        let difference = if known.is_none() {
            (!seeding).then_some(DifferenceKind::OnlyInDump)
        } else {
            // A record since the dump began may be newer than what the dump read.
            let comparable = flow.last_ns < begun_ns && flow.from_probe;
            (comparable && flow.status != entry.status).then_some(DifferenceKind::Status)
        };
        flow.from_dump = true;
        flow.dump = generation;
        if flow.last_ns < begun_ns {
            flow.status = entry.status;
            flow.state = entry.state;
            flow.mark = entry.mark;
            flow.expires_ns = expires_ns;
        }
        flow.reply = entry.reply;
        flow.reply_known = true;
        let flow = *flow;
        if let Some(kind) = difference {
            self.reconciliation.differences.push(Difference { kind, flow });
        }
    }

    /// The dump is over, and all records up to now are in the table. `coverage` says which
    /// namespaces were dumped whole.
    pub fn end_dump(&mut self, now_ns: u64, coverage: impl Fn(u32) -> Coverage) {
        let generation = self.reconciliation.dumps;
        let begun_ns = self.reconciliation.begun_ns;
        let mut gone = Vec::new();
        let mut unreached = BTreeMap::new();
        let absent = self
            .indices()
            .filter(|(_, flow)| flow.dump != generation && flow.is_confirmed() && flow.last_ns < begun_ns);
        for (index, flow) in absent {
            match coverage(flow.netns) {
                Coverage::Whole => gone.push(index),
                Coverage::Unreached => *unreached.entry(flow.netns).or_default() += 1,
                Coverage::NotAsked => {}
            }
        }
        self.reconciliation.unreached = unreached;
        for index in gone {
            let Some(flow) = self.remove(index) else { continue };
            // An expired entry is in no dump, and stays in memory until somebody meets it.
            if flow.expires_ns.is_none_or(|expires_ns| expires_ns > now_ns) {
                self.reconciliation.differences.push(Difference {
                    kind: DifferenceKind::OnlyFromProbe,
                    flow,
                });
            }
        }
        self.forget_ended(begun_ns);
        self.tombstones.active = false;
        self.tombstones.buried.clear();
    }

    /// What dumps have brought to light so far.
    pub fn reconciliation(&self) -> &Reconciliation {
        &self.reconciliation
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::names::status;

    fn entry_of(netns: u32) -> Dumped {
        Dumped {
            key: TupleKey {
                netns,
                zone: 0,
                orig: [1; 5],
            },
            reply: [2; 5],
            status: status::CONFIRMED,
            state: 0,
            mark: 0,
            timeout_seconds: Some(1000),
        }
    }

    #[test]
    fn flows_of_a_namespace_that_was_not_reached_are_no_differences() {
        let mut table = Table::new(250);
        table.begin_dump(1, true);
        for netns in [1, 2, 3] {
            table.dumped(&entry_of(netns), 2);
        }
        table.begin_dump(20, false);
        table.end_dump(30, |netns| match netns {
            1 => Coverage::Whole,
            2 => Coverage::Unreached,
            _ => Coverage::NotAsked,
        });
        let found = table.reconciliation();
        let differing: Vec<u32> = found
            .differences
            .iter()
            .map(|difference| difference.flow.netns)
            .collect();
        assert_eq!(differing, [1]);
        assert_eq!(found.unreached, BTreeMap::from([(2, 1)]));
    }
}
