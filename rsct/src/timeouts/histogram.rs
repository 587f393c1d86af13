//! Histogram of remaining timeouts, with buckets that widen with the time.

use std::collections::BTreeMap;

use super::{Protocol, State};

/// Bounds between buckets, in seconds.
const BOUNDS: [u32; 13] = [
    5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 21_600, 86_400, 172_800, 432_000,
];

/// The state that governs an entry: the protocol's number and the state's attribute; none if it is not known.
type StateKey = Option<(u8, u16)>;

/// A range of remaining times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bucket {
    /// Its entries.
    pub entries: u64,
    by_state: BTreeMap<StateKey, u64>,
}

/// Entries counted by their remaining time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    buckets: [Bucket; BOUNDS.len() + 1],
    /// Entries without a timeout: a flow table handles their flow.
    pub without: u64,
}

impl Histogram {
    /// Counts an entry with these seconds left.
    pub(crate) fn take(&mut self, seconds: Option<u32>, governing: Option<(&Protocol, &State)>) {
        let Some(seconds) = seconds else {
            self.without += 1;
            return;
        };
        let bucket = &mut self.buckets[BOUNDS.partition_point(|bound| *bound <= seconds)];
        bucket.entries += 1;
        let key = governing.map(|(protocol, state)| (protocol.number, state.attribute));
        *bucket.by_state.entry(key).or_default() += 1;
    }

    /// Adds another histogram's counts.
    pub(crate) fn add(&mut self, other: &Self) {
        for (bucket, other) in self.buckets.iter_mut().zip(&other.buckets) {
            bucket.entries += other.entries;
            for (key, count) in &other.by_state {
                *bucket.by_state.entry(*key).or_default() += count;
            }
        }
        self.without += other.without;
    }

    /// Number of entries.
    pub(crate) fn entries(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.entries).sum::<u64>() + self.without
    }

    /// The buckets from the first to the last with entries: lower bound, exclusive upper bound (none for the last), and the
    /// bucket.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (u32, Option<u32>, &Bucket)> {
        let is_used = |bucket: &Bucket| bucket.entries > 0;
        let first = self.buckets.iter().position(is_used).unwrap_or(0);
        let end = self.buckets.iter().rposition(is_used).map_or(0, |last| last + 1);
        (first..end).map(|index| {
            let from = index.checked_sub(1).map_or(0, |before| BOUNDS[before]);
            (from, BOUNDS.get(index).copied(), &self.buckets[index])
        })
    }
}

impl Bucket {
    /// Its entries by protocol and state, the largest number first. None: in a state without a timeout.
    pub(crate) fn by_state(&self) -> Vec<(Option<(&'static Protocol, &'static State)>, u64)> {
        let mut by_state: Vec<_> = self
            .by_state
            .iter()
            .map(|(key, count)| {
                let of = key.and_then(|(number, attribute)| {
                    let protocol = Protocol::of_number(number);
                    Some((protocol, protocol.state_of_attribute(attribute)?))
                });
                (of, *count)
            })
            .collect();
        by_state.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        by_state
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_are_adjacent() {
        let mut histogram = Histogram::default();
        for seconds in [4, 5, 431_999, 432_000, u32::MAX] {
            histogram.take(Some(seconds), None);
        }
        histogram.take(None, None);
        let spans: Vec<_> = histogram
            .buckets()
            .map(|(from, to, bucket)| (from, to, bucket.entries))
            .filter(|(.., entries)| *entries > 0)
            .collect();
        let expected = [
            (0, Some(5), 1),
            (5, Some(10), 1),
            (172_800, Some(432_000), 1),
            (432_000, None, 2),
        ];
        assert_eq!(spans, expected);
        assert_eq!((histogram.entries(), histogram.without), (6, 1));
        assert_eq!(Histogram::default().buckets().count(), 0);
    }

    #[test]
    fn states_are_ordered_by_count() {
        let tcp = Protocol::named("tcp").unwrap();
        let mut histogram = Histogram::default();
        for state in [0, 2, 2] {
            histogram.take(Some(1), Some((tcp, &tcp.states[state])));
        }
        let (.., bucket) = histogram.buckets().next().unwrap();
        let by_state = bucket.by_state();
        assert_eq!(by_state[0], (Some((tcp, &tcp.states[2])), 2));
        assert_eq!(by_state[1], (Some((tcp, &tcp.states[0])), 1));
    }

    proptest! {
        #[test]
        fn every_entry_is_in_one_bucket(seconds in proptest::collection::vec(proptest::option::of(any::<u32>()), 0..50), cut in 0..50_usize) {
            let mut whole = Histogram::default();
            let mut parts = [Histogram::default(), Histogram::default()];
            for (index, seconds) in seconds.iter().enumerate() {
                whole.take(*seconds, None);
                parts[usize::from(index < cut)].take(*seconds, None);
            }
            for (from, to, bucket) in whole.buckets() {
                let inside = |second: &&u32| **second >= from && to.is_none_or(|to| **second < to);
                prop_assert_eq!(bucket.entries, seconds.iter().flatten().filter(inside).count() as u64);
            }
            prop_assert_eq!(whole.entries(), seconds.len() as u64);
            let [mut sum, other] = parts;
            sum.add(&other);
            prop_assert_eq!(sum, whole);
        }
    }
}
