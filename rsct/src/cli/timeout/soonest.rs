//! Entries in the order in which they expire: all up to a time, or the next N. No other entry is stored.

use std::{cmp::Reverse, collections::BinaryHeap, ops::Range};

/// Selects the entries to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listed {
    /// Entries with at most this many seconds left.
    Within(u64),
    /// This many entries.
    Next(usize),
}

/// The text of the entries to list.
#[derive(Debug)]
pub(super) struct Soonest {
    listed: Listed,
    /// For `Within`: the texts of all entries, and the remaining seconds and text range of each.
    text: Vec<u8>,
    within: Vec<(u32, Range<usize>)>,
    /// For `Next`: the entry with the most time left on top. Of two with the same time, the first one stays.
    next: BinaryHeap<(u32, usize, Vec<u8>)>,
    seen: usize,
}

impl Soonest {
    pub(super) fn new(listed: Listed) -> Self {
        Self {
            listed,
            text: Vec::new(),
            within: Vec::new(),
            next: BinaryHeap::new(),
            seen: 0,
        }
    }

    /// Adds an entry with this many seconds left. `write` is called only if the entry may be listed.
    pub(super) fn take(&mut self, seconds: u32, write: impl FnOnce(&mut Vec<u8>)) {
        self.seen += 1;
        match self.listed {
            Listed::Within(within) if u64::from(seconds) <= within => {
                let begin = self.text.len();
                write(&mut self.text);
                self.within.push((seconds, begin..self.text.len()));
            }
            Listed::Next(count) => {
                if self.next.len() >= count && self.next.peek().is_none_or(|(most, ..)| *most <= seconds) {
                    return;
                }
                let mut text = Vec::new();
                write(&mut text);
                self.next.push((seconds, self.seen, text));
                if self.next.len() > count {
                    self.next.pop();
                }
            }
            Listed::Within(_) => {}
        }
    }

    /// Adds the entries of another.
    pub(super) fn add(&mut self, other: Self) {
        for (seconds, range) in other.within {
            self.take(seconds, |out| out.extend_from_slice(&other.text[range]));
        }
        let mut next = other.next.into_vec();
        next.sort_by_key(|(seconds, seen, _)| (*seconds, *seen));
        for (seconds, _, text) in next {
            self.take(seconds, |out| out.extend_from_slice(&text));
        }
    }

    /// The number of entries listed.
    pub(super) fn len(&self) -> usize {
        self.within.len() + self.next.len()
    }

    /// Appends the entries, the next one to expire first.
    pub(super) fn write(mut self, out: &mut Vec<u8>) {
        self.within.sort_by_key(|(seconds, _)| *seconds);
        for (_, range) in self.within {
            out.extend_from_slice(&self.text[range]);
        }
        let mut next: Vec<_> = self.next.into_iter().map(Reverse).collect();
        next.sort_unstable_by(|one, other| other.cmp(one));
        for Reverse((.., text)) in next {
            out.extend_from_slice(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn listed(listed: Listed, parts: &[Vec<u32>]) -> Vec<u32> {
        let mut sum = Soonest::new(listed);
        for seconds in parts {
            let mut part = Soonest::new(listed);
            for seconds in seconds {
                part.take(*seconds, |out| out.extend_from_slice(&seconds.to_ne_bytes()));
            }
            sum.add(part);
        }
        let len = sum.len();
        let mut out = Vec::new();
        sum.write(&mut out);
        let (seconds, _) = out.as_chunks::<4>();
        assert_eq!(seconds.len(), len);
        seconds.iter().map(|bytes| u32::from_ne_bytes(*bytes)).collect()
    }

    proptest! {
        #[test]
        fn entries_are_those_of_a_sorted_list(parts in proptest::collection::vec(proptest::collection::vec(0..50_u32, 0..30), 0..4), bound in 0..60_usize) {
            let mut all: Vec<u32> = parts.concat();
            all.sort_unstable();
            let next: Vec<u32> = all.iter().copied().take(bound).collect();
            prop_assert_eq!(listed(Listed::Next(bound), &parts), next);
            let within: Vec<u32> = all.iter().copied().filter(|seconds| *seconds as usize <= bound).collect();
            prop_assert_eq!(listed(Listed::Within(bound as u64), &parts), within);
        }
    }

    #[test]
    fn only_listed_entries_are_stored() {
        let mut soonest = Soonest::new(Listed::Next(3));
        for seconds in (0..100_000).rev() {
            soonest.take(seconds, |out| out.push(0));
            assert!(soonest.next.len() <= 3);
        }
        assert_eq!(soonest.len(), 3);
    }
}
