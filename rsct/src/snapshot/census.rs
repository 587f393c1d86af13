//! Counts the entries by class without keeping flows: 9 bytes for each entry of a dump while the dump lasts, and nothing afterwards.
//!
//! A dump is not a moment: entries are inserted, changed and deleted while it runs. An entry is counted when the dump or a record
//! shows it first, and its later records change the count.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{DefaultHasher, Hash as _, Hasher as _},
};

use hashbrown::HashTable;
use rsct_common::{
    Tuple, TupleWords,
    record::{EntryFlags, EntryRecord, PacketRecord},
};

use crate::flow::{TupleKey, reconcile::DumpedEntry};

use super::{Class, Population};

/// The byte of a counted entry that holds its state; the others hold its hash.
const STATE: u64 = 0xff;

/// A dump in progress.
#[derive(Debug, Default)]
pub(super) struct Census {
    dump: Option<Dump>,
    /// The expected number of entries: a table that grows is there twice for a moment.
    expected: usize,
}

#[derive(Debug, Default)]
struct Dump {
    counted: HashTable<u64>,
    /// Entries with a record since the dump began: true while they are in the table.
    recorded: HashMap<u64, bool>,
    classes: Population,
}

/// The class of an operation's entry, in its state before or after.
pub(super) fn class_of_entry(record: &EntryRecord, is_after: bool) -> Class {
    let has_after = record.flags & EntryFlags::RETURNED != 0 && record.status_after != 0;
    Class {
        netns: record.netns,
        zone: record.zone,
        protonum: protonum(record.orig),
        state: match is_after && has_after {
            true => record.state_after,
            false => record.state_before,
        },
    }
}

/// The class of a packet's entry, in its state after the packet.
pub(super) fn class_of_packet(record: &PacketRecord) -> Class {
    Class {
        netns: record.netns,
        zone: record.zone,
        protonum: protonum(record.tuple),
        state: record.state_after,
    }
}

fn protonum(tuple: TupleWords) -> u8 {
    Tuple::from_words(tuple).protonum
}

fn hash(key: &TupleKey) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish() & !STATE
}

/// The table needs good bits at both ends, also without the byte of the state.
fn place(counted: u64) -> u64 {
    (counted >> 8).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Census {
    /// Expects this number of entries in a dump.
    pub(super) fn expect(&mut self, entries: usize) {
        self.expected = entries;
    }

    /// A dump begins.
    pub(super) fn begin(&mut self) {
        self.dump = Some(Dump {
            counted: HashTable::with_capacity(self.expected),
            ..Dump::default()
        });
    }

    /// One entry of the dump.
    pub(super) fn dumped(&mut self, entry: &DumpedEntry) {
        let Some(dump) = &mut self.dump else { return };
        let hash = hash(&entry.key);
        // Its records are newer, or an entry arrives twice.
        if dump.recorded.contains_key(&hash) || dump.is_counted(hash) {
            return;
        }
        dump.count(hash, entry.state);
        let class = Class {
            netns: entry.key.netns,
            zone: entry.key.zone,
            protonum: protonum(entry.key.orig),
            state: entry.state,
        };
        dump.classes.add(class, 1);
    }

    /// An entry was inserted.
    pub(super) fn inserted(&mut self, record: &EntryRecord, class: Class) {
        let Some(dump) = &mut self.dump else { return };
        let hash = hash(&TupleKey::of_entry(record));
        let was_counted = dump.is_counted(hash);
        match dump.recorded.entry(hash) {
            Entry::Occupied(mut known) => {
                if !known.insert(true) {
                    dump.classes.add(class, 1);
                }
            }
            Entry::Vacant(new) => {
                new.insert(true);
                // The dump may show an entry before its record is read.
                if !was_counted {
                    dump.classes.add(class, 1);
                }
            }
        }
    }

    /// An entry was deleted.
    pub(super) fn deleted(&mut self, record: &EntryRecord, class: Class) {
        let Some(dump) = &mut self.dump else { return };
        let hash = hash(&TupleKey::of_entry(record));
        let was_counted = dump.is_counted(hash);
        let was_there = dump.recorded.insert(hash, false).unwrap_or(was_counted);
        if was_there {
            dump.classes.add(class, -1);
        }
        dump.forget(hash);
    }

    /// A packet changed the state of an entry to that of `class`.
    pub(super) fn changed(&mut self, record: &PacketRecord, class: Class) {
        let Some(dump) = &mut self.dump else { return };
        let hash = hash(&TupleKey::of_packet(record));
        let from = record.state_before;
        let has_changed = match dump.is_counted(hash) {
            // The dump may show the new state before the packet's record is read.
            true => dump.changes(hash, from, class.state),
            false => dump.recorded.get(&hash) == Some(&true),
        };
        if has_changed {
            dump.classes.changed(class, from);
        }
    }

    /// The dump ends. Returns its counts.
    pub(super) fn end(&mut self) -> Option<Population> {
        Some(self.dump.take()?.classes)
    }
}

impl Dump {
    fn is_counted(&self, hash: u64) -> bool {
        self.counted
            .find(place(hash), |one| one & !STATE == hash)
            .is_some()
    }

    fn count(&mut self, hash: u64, state: u8) {
        self.counted
            .insert_unique(place(hash), hash | u64::from(state), |one| place(*one));
    }

    fn forget(&mut self, hash: u64) {
        if let Ok(counted) = self.counted.find_entry(place(hash), |one| one & !STATE == hash) {
            counted.remove();
        }
    }

    /// Changes the state of a counted entry. Returns whether it had the state `from`.
    fn changes(&mut self, hash: u64, from: u8, to: u8) -> bool {
        let counted = self.counted.find_mut(place(hash), |one| one & !STATE == hash);
        match counted {
            Some(one) if *one & STATE == u64::from(from) => {
                *one = hash | u64::from(to);
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::names::proto;

    fn orig(port: u16) -> TupleWords {
        Tuple {
            protonum: proto::TCP,
            src_l4: port.to_be_bytes(),
            ..Tuple::default()
        }
        .to_words()
    }

    fn dumped(port: u16, state: u8) -> DumpedEntry {
        DumpedEntry {
            key: TupleKey {
                netns: 1,
                zone: 0,
                orig: orig(port),
            },
            reply: [0; 5],
            status: 0,
            state,
            mark: 0,
            timeout_seconds: None,
        }
    }

    fn entry(port: u16, state_before: u8) -> EntryRecord {
        EntryRecord {
            netns: 1,
            orig: orig(port),
            state_before,
            ..EntryRecord::default()
        }
    }

    fn packet(port: u16, state_before: u8, state_after: u8) -> PacketRecord {
        PacketRecord {
            netns: 1,
            tuple: orig(port),
            state_before,
            state_after,
            ..PacketRecord::default()
        }
    }

    fn insert(census: &mut Census, port: u16, state: u8) {
        let record = entry(port, state);
        census.inserted(&record, class_of_entry(&record, true));
    }

    fn delete(census: &mut Census, port: u16, state: u8) {
        let record = entry(port, state);
        census.deleted(&record, class_of_entry(&record, false));
    }

    fn change(census: &mut Census, port: u16, from: u8, to: u8) {
        let record = packet(port, from, to);
        census.changed(&record, class_of_packet(&record));
    }

    fn states(census: &mut Census) -> BTreeMap<u8, u64> {
        let counted = census.end().unwrap();
        counted
            .classes()
            .map(|(class, count)| (class.state, count))
            .collect()
    }

    #[test]
    fn an_entry_that_arrives_twice_counts_once() {
        let mut census = Census::default();
        census.begin();
        census.dumped(&dumped(1, 3));
        census.dumped(&dumped(1, 3));
        census.dumped(&dumped(2, 3));
        assert_eq!(states(&mut census), [(3, 2)].into());
        assert!(census.end().is_none());
    }

    #[test]
    fn a_record_that_is_read_after_the_entry_was_dumped_changes_nothing() {
        let mut census = Census::default();
        census.begin();
        census.dumped(&dumped(1, 3));
        insert(&mut census, 1, 1);
        change(&mut census, 1, 1, 3);
        // Deleted before the dump arrived at it.
        delete(&mut census, 2, 3);
        assert_eq!(states(&mut census), [(3, 1)].into());
    }

    #[test]
    fn operations_have_the_state_before_and_after() {
        let record = EntryRecord {
            flags: EntryFlags::RETURNED,
            status_after: 8,
            state_before: 1,
            state_after: 3,
            ..EntryRecord::default()
        };
        assert_eq!(class_of_entry(&record, true).state, 3);
        assert_eq!(class_of_entry(&record, false).state, 1);
        let record = EntryRecord { flags: 0, ..record };
        assert_eq!(class_of_entry(&record, true).state, 1);
    }

    /// A table that changes during the dump.
    #[derive(Clone, Debug)]
    enum Step {
        Insert(u16),
        Change(u16, u8),
        Delete(u16),
        Dump(u16),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = (0..12u16, 0..4u8, 0..4u8).prop_map(|(port, what, state)| match what {
            0 => Step::Insert(port),
            1 => Step::Change(port, state),
            2 => Step::Delete(port),
            _ => Step::Dump(port),
        });
        prop::collection::vec(step, 0..80)
    }

    proptest! {
        #[test]
        fn records_that_are_read_at_once_make_the_count_exact(before in prop::collection::btree_map(0..12u16, 0..4u8, 0..12), steps in steps()) {
            let mut table = before;
            let mut census = Census::default();
            census.begin();
            for step in steps {
                match step {
                    Step::Insert(port) if !table.contains_key(&port) => {
                        table.insert(port, 1);
                        insert(&mut census, port, 1);
                    }
                    Step::Change(port, to) if table.get(&port).is_some_and(|from| *from != to) => {
                        let from = table.insert(port, to).unwrap();
                        change(&mut census, port, from, to);
                    }
                    Step::Delete(port) if table.contains_key(&port) => {
                        let state = table.remove(&port).unwrap();
                        delete(&mut census, port, state);
                    }
                    Step::Dump(port) => {
                        if let Some(state) = table.get(&port) {
                            census.dumped(&dumped(port, *state));
                        }
                    }
                    _ => {}
                }
            }
            // The dump reads all that it has not read.
            for (port, state) in &table {
                census.dumped(&dumped(*port, *state));
            }
            let mut expected = BTreeMap::new();
            for state in table.values() {
                *expected.entry(*state).or_insert(0u64) += 1;
            }
            prop_assert_eq!(states(&mut census), expected);
        }
    }
}
