//! The most frequent of many values.

use std::{collections::HashMap, hash::Hash};

/// The maximum number of different values: a flood of new ones must not fill the memory.
const MOST: usize = 1 << 16;

/// The count of each value.
#[derive(Clone, Debug)]
pub(crate) struct Top<K> {
    counts: HashMap<K, u64>,
    /// The number of occurrences of values beyond the maximum.
    pub others: u64,
}

impl<K> Default for Top<K> {
    fn default() -> Self {
        Self {
            counts: HashMap::new(),
            others: 0,
        }
    }
}

impl<K: Eq + Hash + Clone + Ord> Top<K> {
    /// Counts an occurrence.
    pub(crate) fn add(&mut self, which: K) {
        if self.counts.len() >= MOST && !self.counts.contains_key(&which) {
            self.others += 1;
            return;
        }
        *self.counts.entry(which).or_default() += 1;
    }

    /// Returns the `most` most frequent values, these first.
    pub(crate) fn first(&self, most: usize) -> Vec<(K, u64)> {
        let mut all: Vec<(K, u64)> = self
            .counts
            .iter()
            .map(|(which, count)| (which.clone(), *count))
            .collect();
        all.sort_by(|(a, many), (b, more)| more.cmp(many).then_with(|| a.cmp(b)));
        all.truncate(most);
        all
    }

    /// Returns the number of different values.
    pub(crate) fn kinds(&self) -> usize {
        self.counts.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_frequent_comes_first() {
        let mut top = Top::default();
        for which in ["b", "a", "b", "c", "a", "b"] {
            top.add(which);
        }
        assert_eq!(top.first(2), [("b", 3), ("a", 2)]);
        assert_eq!(top.kinds(), 3);
    }

    #[test]
    fn values_beyond_the_maximum_are_only_counted() {
        let mut top = Top::default();
        for which in 0..MOST + 10 {
            top.add(which);
        }
        top.add(0);
        assert_eq!(top.kinds(), MOST);
        assert_eq!(top.others, 10);
        assert_eq!(top.first(1), [(0, 2)]);
    }
}
