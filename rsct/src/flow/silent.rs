//! Entries that no record has shown: a dump counts them by class, and the table of flows does not keep them. Their number
//! may be a million; the number of flows that send packets is what a screen shows.
//!
//! During a dump, a hash of each entry is kept: an entry may be dumped twice, and a record may show it before the dump ends.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, RandomState},
};

use hashbrown::HashTable;

use super::{
    class::Class,
    reconcile::{Coverage, DumpedEntry},
    store::TupleKey,
};

/// Numbers of silent entries.
#[derive(Debug, Default)]
pub(super) struct Silent {
    /// By class, at the end of the last dump, without those that records have shown since.
    counts: BTreeMap<Class, usize>,
    /// Hashes of the entries of the current dump; none between dumps.
    dumped: Option<BTreeMap<Class, HashTable<u64>>>,
    /// Random, so that nobody can choose tuples with equal hashes.
    hasher: RandomState,
}

/// The dumps that contained an entry which a record shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// An earlier dump or the current one contained it.
    pub from_dump: bool,
    /// The current dump contained it.
    pub in_current: bool,
}

impl Silent {
    /// A dump begins.
    pub(super) fn begin(&mut self) {
        self.dumped = Some(BTreeMap::new());
    }

    /// An entry of the dump.
    pub(super) fn add(&mut self, entry: &DumpedEntry) {
        let Some(dumped) = &mut self.dumped else { return };
        let hash = self.hasher.hash_one(entry.key);
        let of_class = dumped.entry(Class::of_dumped(entry)).or_default();
        if of_class.find(hash, |other| *other == hash).is_none() {
            of_class.insert_unique(hash, hash, |hash| *hash);
        }
    }

    /// A record shows an entry. `state`: its state in the table before; none if it was not there.
    pub(super) fn shown(&mut self, key: &TupleKey, state: Option<u8>) -> Known {
        let in_current = self.leave_dump(key);
        let mut from_dump = in_current;
        if let Some(state) = state
            && let Some(count) = self.counts.get_mut(&Class::in_state(key, state))
            && *count > 0
        {
            *count -= 1;
            from_dump = true;
        }
        Known {
            from_dump,
            in_current,
        }
    }

    /// Takes an entry out of the current dump.
    fn leave_dump(&mut self, key: &TupleKey) -> bool {
        let Some(dumped) = &mut self.dumped else {
            return false;
        };
        let hash = self.hasher.hash_one(key);
        let states = Class::in_state(key, 0)..=Class::in_state(key, u8::MAX);
        dumped.range_mut(states).any(|(_, of_class)| {
            let found = of_class.find_entry(hash, |other| *other == hash);
            found.is_ok_and(|entry| {
                entry.remove();
                true
            })
        })
    }

    /// The dump ends. Returns the number of entries that appeared since the last dump without a record.
    pub(super) fn end(&mut self, coverage: impl Fn(u32) -> Coverage) -> usize {
        let mut found: BTreeMap<u32, BTreeMap<Class, usize>> = BTreeMap::new();
        for (class, entries) in self.dumped.take().unwrap_or_default() {
            found.entry(class.netns).or_default().insert(class, entries.len());
        }
        let mut appeared = 0;
        let mut expected: BTreeMap<u32, BTreeMap<Class, usize>> = BTreeMap::new();
        for (class, count) in std::mem::take(&mut self.counts) {
            expected.entry(class.netns).or_default().insert(class, count);
            found.entry(class.netns).or_default();
        }
        let sum = |counts: &BTreeMap<Class, usize>| counts.values().sum::<usize>();
        for (netns, mut counts) in found {
            let before = expected.remove(&netns).unwrap_or_default();
            if coverage(netns) == Coverage::Whole {
                appeared += sum(&counts).saturating_sub(sum(&before));
            } else if sum(&before) > sum(&counts) {
                // A part of a dump shows less than was known.
                counts = before;
            }
            self.counts.extend(counts);
        }
        self.counts.retain(|_, count| *count > 0);
        appeared
    }

    /// Each class with its number, as of the end of the last dump.
    pub(super) fn classes(&self) -> impl Iterator<Item = (Class, usize)> + '_ {
        self.counts.iter().map(|(class, count)| (*class, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::status;

    fn entry(number: u64, state: u8) -> DumpedEntry {
        DumpedEntry {
            key: TupleKey {
                netns: 1,
                zone: 0,
                orig: [number, 0, 0, 0, 0],
            },
            reply: [2; 5],
            status: status::CONFIRMED,
            state,
            mark: 0,
            timeout_seconds: None,
        }
    }

    fn dump(silent: &mut Silent, entries: &[DumpedEntry], coverage: Coverage) -> usize {
        silent.begin();
        for entry in entries {
            silent.add(entry);
        }
        silent.end(|_| coverage)
    }

    fn counts(silent: &Silent) -> Vec<(u8, usize)> {
        silent
            .classes()
            .map(|(class, count)| (class.state, count))
            .collect()
    }

    #[test]
    fn an_entry_counts_once_in_a_dump() {
        let mut silent = Silent::default();
        let entries = [entry(1, 3), entry(2, 3), entry(1, 3), entry(3, 1)];
        dump(&mut silent, &entries, Coverage::Whole);
        assert_eq!(counts(&silent), [(1, 1), (3, 2)]);
    }

    #[test]
    fn a_record_takes_its_entry_out() {
        let mut silent = Silent::default();
        silent.begin();
        silent.add(&entry(1, 3));
        silent.add(&entry(2, 3));
        let both = Known {
            from_dump: true,
            in_current: true,
        };
        assert_eq!(silent.shown(&entry(1, 3).key, Some(3)), both);
        let none = Known {
            from_dump: false,
            in_current: false,
        };
        assert_eq!(silent.shown(&entry(9, 3).key, None), none);
        silent.end(|_| Coverage::Whole);
        assert_eq!(counts(&silent), [(3, 1)]);
        let earlier = Known {
            from_dump: true,
            in_current: false,
        };
        assert_eq!(silent.shown(&entry(2, 3).key, Some(3)), earlier);
        assert_eq!(counts(&silent), [(3, 0)]);
    }

    #[test]
    fn entries_that_appear_without_a_record_are_counted() {
        let mut silent = Silent::default();
        assert_eq!(dump(&mut silent, &[entry(1, 3)], Coverage::Whole), 1);
        let three = [entry(1, 3), entry(2, 3), entry(3, 3)];
        assert_eq!(dump(&mut silent, &three, Coverage::Whole), 2);
        assert_eq!(dump(&mut silent, &three, Coverage::Whole), 0);
    }

    #[test]
    fn a_part_of_a_dump_forgets_nothing() {
        let mut silent = Silent::default();
        dump(&mut silent, &[entry(1, 3), entry(2, 3)], Coverage::Whole);
        for coverage in [Coverage::Incomplete, Coverage::Unreached] {
            assert_eq!(dump(&mut silent, &[entry(1, 3)], coverage), 0);
            assert_eq!(counts(&silent), [(3, 2)]);
        }
        dump(&mut silent, &[entry(1, 3)], Coverage::Whole);
        assert_eq!(counts(&silent), [(3, 1)]);
    }
}
