//! Comparison of the table with a dump: the first dump seeds the table, a dump after losses closes the gaps, and at any
//! other time the two should agree.
//!
//! Records continue during a dump. So deletions are remembered until the dump ends (an entry that was dumped before it was
//! deleted must not be added again), and an entry that appeared after the dump began need not be in it.

use std::collections::{BTreeMap, HashSet};

use rsct_common::TupleWords;

use super::{
    differences::{DifferenceKind, Differences},
    store::{FlowKey, PolicyOf, Store, TupleKey},
};

/// An entry of a dump.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DumpedEntry {
    /// Its key.
    pub key: TupleKey,
    /// The reply direction.
    pub reply: TupleWords,
    /// `ct->status`.
    pub status: u32,
    /// The protocol's state, zero for protocols without.
    pub state: u8,
    /// `ct->mark`.
    pub mark: u32,
    /// Its remaining timeout.
    pub timeout_seconds: Option<u32>,
}

/// How far a dump covers a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// All of its entries.
    Whole,
    /// None: all namespaces were to be dumped, and no process, mount or file refers to this one.
    Unreached,
    /// None, or a part: it was not to be dumped, or its dump failed.
    Incomplete,
}

/// Findings of all dumps, and the state of the current one.
#[derive(Debug, Default)]
pub(crate) struct Reconciliation {
    /// Number of dumps.
    pub dumps: u32,
    /// Flows whose deletion was never reported: another flow has their tuple.
    pub replaced: u64,
    /// The differences found.
    pub differences: Differences,
    /// The namespaces that the last dump did not reach, each with the number of its flows known from records.
    pub unreached: BTreeMap<u32, usize>,
    begun_ns: u64,
    seeding: bool,
    /// Entries deleted since the current dump began; none between dumps.
    tombstones: Option<HashSet<TupleKey>>,
}

impl Reconciliation {
    /// An entry was deleted.
    pub(super) fn deleted(&mut self, key: TupleKey) {
        if let Some(tombstones) = &mut self.tombstones {
            tombstones.insert(key);
        }
    }

    /// A dump begins.
    pub(super) fn begin(&mut self, now_ns: u64, seeding: bool) {
        self.dumps += 1;
        self.begun_ns = now_ns;
        self.seeding = seeding;
        self.tombstones = Some(HashSet::new());
    }

    /// Returns whether an entry was deleted since the current dump began.
    pub(super) fn was_deleted(&self, key: &TupleKey) -> bool {
        self.tombstones
            .as_ref()
            .is_some_and(|tombstones| tombstones.contains(key))
    }

    /// The dump contains entries that no record reported, and that are not kept.
    pub(super) fn appeared(&mut self, entries: usize) {
        if !self.seeding {
            self.differences.add_unkept(DifferenceKind::OnlyInDump, entries);
        }
    }

    /// Compares one entry of the dump with the flows.
    pub(super) fn entry(&mut self, store: &mut Store, entry: &DumpedEntry, now_ns: u64) {
        let begun_ns = self.begun_ns;
        let expires_ns = entry
            .timeout_seconds
            .map(|left| now_ns + u64::from(left) * 1_000_000_000);
        let known = store.find_tuple(&entry.key);
        if known.is_none() && self.was_deleted(&entry.key) {
            return;
        }
        let index = known.unwrap_or_else(|| store.add(FlowKey::default(), entry.key, PolicyOf::NONE));
        let flow = store.live_mut(index);
        let difference = if known.is_none() {
            (!self.seeding).then_some(DifferenceKind::OnlyInDump)
        } else {
            // A record since the dump began may be newer than the dumped state.
            let comparable = flow.last_ns < begun_ns && flow.from_probe;
            (comparable && flow.status != entry.status).then_some(DifferenceKind::Status)
        };
        flow.from_dump = true;
        flow.dump = self.dumps;
        if flow.last_ns < begun_ns {
            flow.status = entry.status;
            flow.state = entry.state;
            flow.mark = entry.mark;
            flow.expires_ns = expires_ns;
        }
        // A part of a recording has zeros for an unknown reply direction.
        if entry.reply != [0; 5] {
            flow.reply = entry.reply;
            flow.reply_known = true;
        }
        if let Some(kind) = difference {
            self.differences.add(kind, *flow);
        }
    }

    /// The dump ends: removes the flows that it should have contained. Returns when it began.
    pub(super) fn end(&mut self, store: &mut Store, now_ns: u64, coverage: impl Fn(u32) -> Coverage) -> u64 {
        let begun_ns = self.begun_ns;
        let mut missing = Vec::new();
        let mut unreached = BTreeMap::new();
        let absent = store
            .indices()
            .filter(|(_, flow)| flow.dump != self.dumps && flow.is_confirmed() && flow.last_ns < begun_ns);
        for (index, flow) in absent {
            match coverage(flow.netns) {
                Coverage::Whole => missing.push(index),
                Coverage::Unreached => *unreached.entry(flow.netns).or_default() += 1,
                Coverage::Incomplete => {}
            }
        }
        self.unreached = unreached;
        for index in missing {
            let Some(flow) = store.remove(index) else { continue };
            // No dump contains an expired entry, although it stays in memory until it is reaped.
            if flow.expires_ns.is_none_or(|expires_ns| expires_ns > now_ns) {
                self.differences.add(DifferenceKind::OnlyFromProbe, flow);
            }
        }
        self.tombstones = None;
        begun_ns
    }
}

#[cfg(test)]
mod tests {
    use rsct_common::record::{EntryKind, EntryRecord};

    use super::*;
    use crate::{flow::FlowTable, names::status};

    fn entry_of(netns: u32) -> DumpedEntry {
        DumpedEntry {
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
    fn flows_of_an_unreached_namespace_are_no_differences() {
        let mut table = FlowTable::new(250);
        table.begin_dump(1, true);
        for netns in [1, 2, 3] {
            table.dumped(&entry_of(netns), 2);
        }
        table.begin_dump(20, false);
        table.end_dump(30, |netns| match netns {
            1 => Coverage::Whole,
            2 => Coverage::Unreached,
            _ => Coverage::Incomplete,
        });
        let found = table.reconciliation();
        let differing: Vec<u32> = found
            .differences
            .kept()
            .iter()
            .map(|difference| difference.flow.netns)
            .collect();
        assert_eq!(differing, [1]);
        assert_eq!(found.unreached, BTreeMap::from([(2, 1)]));
    }

    /// An operation of the kernel on the entry of `entry_of(1)`.
    fn record(kind: EntryKind, time_ns: u64) -> EntryRecord {
        EntryRecord {
            what: kind as u8,
            ct: 7,
            birth_ns: 7,
            netns: 1,
            time_ns,
            orig: [1; 5],
            reply: [2; 5],
            status_before: status::CONFIRMED,
            ..EntryRecord::default()
        }
    }

    #[test]
    fn an_entry_deleted_during_a_dump_is_not_added_again() {
        let mut table = FlowTable::new(250);
        table.begin_dump(1, true);
        table.dumped(&entry_of(1), 2);
        table.entry(&record(EntryKind::Delete, 3));
        table.dumped(&entry_of(1), 4);
        assert!(table.is_empty());
        table.end_dump(5, |_| Coverage::Whole);
        // The next dump knows nothing of that deletion.
        table.begin_dump(6, false);
        table.dumped(&entry_of(1), 7);
        assert_eq!(table.len(), 1);
        let kinds: Vec<_> = table
            .reconciliation()
            .differences
            .kept()
            .iter()
            .map(|found| found.kind)
            .collect();
        assert_eq!(kinds, [DifferenceKind::OnlyInDump]);
    }

    #[test]
    fn a_flow_known_from_a_dump_is_adopted_by_its_first_record() {
        let mut table = FlowTable::new(250);
        table.begin_dump(1, true);
        table.dumped(&entry_of(1), 2);
        let number = table.flows().next().map(|flow| flow.number);
        let adopted = table
            .entry(&record(EntryKind::Refresh, 3))
            .map(|flow| (flow.number, flow.known_from()));
        assert_eq!(adopted, number.map(|number| (number, "both")));
        // The same tuple at another address: the delete of the first was lost.
        let other = EntryRecord {
            ct: 8,
            ..record(EntryKind::Insert, 4)
        };
        assert_ne!(table.entry(&other).map(|flow| flow.number), number);
        assert_eq!((table.len(), table.reconciliation().replaced), (1, 1));
    }
}
