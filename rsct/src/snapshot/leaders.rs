//! Figures by key, of a bounded number of keys.

use std::{collections::HashMap, hash::Hash};

use rustc_hash::FxBuildHasher;

/// When there are so many keys, only [`KEPT`] of them stay: a flood of new ones must not fill the memory.
const MOST: usize = 4096;
/// The keys with the highest figures, which stay.
const KEPT: usize = 512;

/// The figures of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Figures {
    /// Packets.
    pub packets: u64,
    /// Their bytes, from the network header on.
    pub bytes: u64,
    /// Created entries.
    pub created: u64,
    /// Time in `nf_conntrack_in`.
    pub cost_ns: u64,
}

impl Figures {
    /// Adds others.
    pub(crate) fn add(&mut self, other: &Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.created += other.created;
        self.cost_ns += other.cost_ns;
    }

    /// The growth since an earlier state.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            packets: self.packets.saturating_sub(earlier.packets),
            bytes: self.bytes.saturating_sub(earlier.bytes),
            created: self.created.saturating_sub(earlier.created),
            cost_ns: self.cost_ns.saturating_sub(earlier.cost_ns),
        }
    }

    /// Returns whether nothing was added.
    pub(crate) fn are_zero(&self) -> bool {
        *self == Self::default()
    }

    fn weight(&self) -> u64 {
        // A new entry is more than a packet: a scan has few packets per flow.
        self.packets + 8 * self.created
    }
}

/// Figures by key.
#[derive(Clone, Debug)]
pub(crate) struct Leaders<K> {
    figures: HashMap<K, Figures, FxBuildHasher>,
    /// The figures of keys that did not stay. A key that returns begins at zero, so its figures are a lower bound.
    others: Figures,
}

impl<K> Default for Leaders<K> {
    fn default() -> Self {
        Self {
            figures: HashMap::default(),
            others: Figures::default(),
        }
    }
}

impl<K: Copy + Eq + Hash + Ord> Leaders<K> {
    /// Adds figures to a key's.
    pub(crate) fn add(&mut self, key: K, figures: &Figures) {
        if self.figures.len() >= MOST && !self.figures.contains_key(&key) {
            self.keep_the_highest();
        }
        self.figures.entry(key).or_default().add(figures);
    }

    #[cold]
    fn keep_the_highest(&mut self) {
        let mut all: Vec<(K, Figures)> = self.figures.drain().collect();
        all.select_nth_unstable_by(KEPT, |a, b| (b.1.weight(), a.0).cmp(&(a.1.weight(), b.0)));
        for (_, figures) in all.split_off(KEPT) {
            self.others.add(&figures);
        }
        self.figures.extend(all);
    }

    /// The figures of one key.
    pub(crate) fn of(&self, key: &K) -> Figures {
        self.figures.get(key).copied().unwrap_or_default()
    }

    /// Returns whether keys did not stay: the figures of others are then lower bounds.
    pub(crate) fn are_bounds(&self) -> bool {
        !self.others.are_zero()
    }

    /// The `most` keys with the highest value of `by` among those that grew since `earlier`, with their growth.
    pub(crate) fn top(&self, earlier: &Self, most: usize, by: impl Fn(&Figures) -> u64) -> Vec<(K, Figures)> {
        let mut grown: Vec<(K, Figures)> = self
            .figures
            .iter()
            .map(|(key, figures)| (*key, figures.since(&earlier.of(key))))
            .filter(|(_, figures)| !figures.are_zero())
            .collect();
        grown.sort_unstable_by(|(a, one), (b, other)| by(other).cmp(&by(one)).then_with(|| a.cmp(b)));
        grown.truncate(most);
        grown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packets(packets: u64) -> Figures {
        Figures {
            packets,
            ..Figures::default()
        }
    }

    #[test]
    fn the_highest_growth_comes_first() {
        let mut leaders = Leaders::default();
        leaders.add("idle", &packets(100));
        leaders.add("busy", &packets(1));
        let earlier = leaders.clone();
        leaders.add("busy", &packets(5));
        leaders.add("new", &packets(3));
        assert_eq!(
            leaders.top(&earlier, 9, |figures| figures.packets),
            [("busy", packets(5)), ("new", packets(3))]
        );
        assert_eq!(
            leaders.top(&Leaders::default(), 1, |figures| figures.packets),
            [("idle", packets(100))]
        );
    }

    #[test]
    fn a_flood_of_keys_is_bounded_and_loses_no_packet() {
        let mut leaders = Leaders::default();
        leaders.add(u64::MAX, &packets(1000));
        for key in 0..100_000 {
            leaders.add(key, &packets(1));
        }
        assert!(leaders.figures.len() <= MOST);
        let top = leaders.top(&Leaders::default(), usize::MAX, |figures| figures.packets);
        assert_eq!(top[0], (u64::MAX, packets(1000)));
        let sum: u64 = top.iter().map(|(_, figures)| figures.packets).sum();
        assert_eq!(sum + leaders.others.packets, 101_000);
        assert!(leaders.are_bounds());
    }
}
