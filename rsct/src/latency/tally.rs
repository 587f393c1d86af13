//! Histogram of values: count, sum, quantiles and maximum.

use rsct_common::latency::{BUCKETS, MAX, PARTS, SUM, Tally as Counted, bounds, bucket_of};

/// Largest error of a reported value, in percent: it is the middle of its bucket, and a bucket's width is a sixteenth
/// of its lower bound.
pub(crate) const ERROR_PERCENT: f64 = 100.0 / (2 * PARTS) as f64;

/// The maximum, or an upper bound of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Largest {
    /// The maximum is this.
    Exactly(u64),
    /// The maximum is at most this: for an interval, the eBPF programs keep the counts but not the maximum.
    AtMost(u64),
}

impl Largest {
    /// The number.
    pub(crate) fn value(self) -> u64 {
        let (Self::Exactly(value) | Self::AtMost(value)) = self;
        value
    }

    /// Returns whether it is exact.
    pub(crate) fn is_exact(self) -> bool {
        matches!(self, Self::Exactly(_))
    }
}

/// A histogram.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    buckets: Vec<u64>,
    sum: u64,
    max: u64,
    max_is_exact: bool,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            buckets: vec![0; BUCKETS],
            sum: 0,
            max: 0,
            max_is_exact: true,
        }
    }
}

impl Tally {
    /// Restores a histogram from the least value and the count of its buckets.
    pub(crate) fn of_buckets(buckets: &[(u64, u64)], sum: u64, max: u64, max_is_exact: bool) -> Self {
        let mut tally = Self {
            sum,
            max,
            max_is_exact,
            ..Self::default()
        };
        for (least, count) in buckets {
            if let Some(bucket) = tally.buckets.get_mut(bucket_of(*least)) {
                *bucket = bucket.saturating_add(*count);
            }
        }
        tally
    }

    /// Adds the counters of a CPU.
    pub(crate) fn add(&mut self, counted: &Counted) {
        for (count, more) in self.buckets.iter_mut().zip(&counted[..BUCKETS]) {
            *count += more;
        }
        self.sum = self.sum.saturating_add(counted[SUM]);
        self.max = self.max.max(counted[MAX]);
    }

    /// Adds a value.
    pub(crate) fn add_value(&mut self, value: u64) {
        if let Some(bucket) = self.buckets.get_mut(bucket_of(value)) {
            *bucket += 1;
        }
        self.sum = self.sum.saturating_add(value);
        if value >= self.max {
            self.max = value;
            self.max_is_exact = true;
        }
    }

    /// Adds another histogram.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (count, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *count += more;
        }
        self.sum = self.sum.saturating_add(other.sum);
        // An exact maximum above the other's bound is exact for both.
        self.max_is_exact = match self.max.cmp(&other.max) {
            std::cmp::Ordering::Less => other.max_is_exact,
            std::cmp::Ordering::Greater => self.max_is_exact,
            std::cmp::Ordering::Equal => self.max_is_exact || other.max_is_exact,
        };
        self.max = self.max.max(other.max);
    }

    /// The difference to an earlier state of the same histogram.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let since = |(now, then): (&u64, &u64)| now.saturating_sub(*then);
        let buckets: Vec<u64> = self.buckets.iter().zip(&earlier.buckets).map(since).collect();
        let (max, max_is_exact) = if self.max > earlier.max {
            (self.max, true)
        } else if let Some(last) = buckets.iter().rposition(|count| *count != 0)
            && bounds(last).0 + 1 == bounds(last).1
        {
            // The bucket holds a single value.
            (bounds(last).0, true)
        } else {
            let last = buckets.iter().rposition(|count| *count != 0);
            let bound = last.map_or(0, |last| match last + 1 {
                // The last bucket has no upper bound.
                BUCKETS => self.max,
                next => (bounds(next).0 - 1).min(self.max),
            });
            (bound, last.is_none())
        };
        Self {
            buckets,
            sum: self.sum.saturating_sub(earlier.sum),
            max,
            max_is_exact,
        }
    }

    /// Number of values.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// Sum of the values.
    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }

    /// The maximum, or its bound; 0 without values.
    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// Returns whether the maximum is exact.
    pub(crate) fn max_is_exact(&self) -> bool {
        self.max_is_exact
    }

    /// The maximum; `None` without values.
    pub(crate) fn largest(&self) -> Option<Largest> {
        (self.count() != 0).then_some(if self.max_is_exact {
            Largest::Exactly(self.max)
        } else {
            Largest::AtMost(self.max)
        })
    }

    /// The smallest value that `per_mille` of a thousand values do not exceed, to [`ERROR_PERCENT`]; `None` without
    /// values.
    pub(crate) fn quantile(&self, per_mille: u16) -> Option<u64> {
        let count = u128::from(self.count());
        let rank = (count * u128::from(per_mille)).div_ceil(1000).max(1);
        let mut below = 0;
        for (bucket, values) in self.buckets.iter().enumerate() {
            below += u128::from(*values);
            if below >= rank {
                let (least, beyond) = bounds(bucket);
                return Some((least + (beyond - least) / 2).min(self.max));
            }
        }
        None
    }

    /// The non-empty buckets: lower bound, upper bound (exclusive), and count.
    pub(crate) fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> + '_ {
        let held = self.buckets.iter().enumerate().filter(|(_, count)| **count != 0);
        held.map(|(bucket, count)| {
            let (least, beyond) = bounds(bucket);
            (least, beyond, *count)
        })
    }

    /// All octaves from the first to the last non-empty one: lower bound and count. The first octave begins at zero and
    /// lies below the first that is split into [`PARTS`].
    pub(crate) fn octaves(&self) -> Vec<(u64, u64)> {
        let parts = PARTS as usize;
        let octave = |(index, counts): (usize, &[u64])| (bounds(index * parts).0, counts.iter().sum());
        let all: Vec<(u64, u64)> = self.buckets.chunks(parts).enumerate().map(octave).collect();
        let first = all.iter().position(|(_, count)| *count != 0);
        let last = all.iter().rposition(|(_, count)| *count != 0);
        match (first, last) {
            (Some(first), Some(last)) => all[first..=last].to_vec(),
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
pub(crate) fn tally_of(values: &[u64]) -> Tally {
    let mut tally = Tally::default();
    for value in values {
        tally.buckets[bucket_of(*value)] += 1;
        tally.sum += value;
        tally.max = tally.max.max(*value);
    }
    tally
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_tally_has_no_quantiles_and_no_maximum() {
        let tally = Tally::default();
        assert_eq!(tally.count(), 0);
        assert_eq!(tally.quantile(500), None);
        assert_eq!(tally.largest(), None);
        assert!(tally.octaves().is_empty());
        assert_eq!(tally.since(&tally).largest(), None);
    }

    #[test]
    fn one_value_is_every_quantile() {
        let tally = tally_of(&[1_000_003]);
        for per_mille in [0, 1, 500, 999, 1000] {
            let quantile = tally.quantile(per_mille).unwrap();
            assert!(quantile.abs_diff(1_000_003) * 32 <= 1_000_003, "{quantile}");
        }
        assert_eq!(tally.largest(), Some(Largest::Exactly(1_000_003)));
    }

    #[test]
    fn octaves_have_no_gaps() {
        let tally = tally_of(&[3, 40, 41, 600]);
        assert_eq!(
            tally.octaves(),
            [(0, 1), (16, 0), (32, 2), (64, 0), (128, 0), (256, 0), (512, 1)]
        );
    }

    #[test]
    fn an_interval_maximum_is_exact_if_it_is_a_new_record() {
        let earlier = tally_of(&[5000]);
        let higher = tally_of(&[5000, 7001]).since(&earlier);
        assert_eq!(higher.largest(), Some(Largest::Exactly(7001)));
        let lower = tally_of(&[5000, 100]).since(&earlier);
        assert_eq!(lower.largest(), Some(Largest::AtMost(103)));
        assert_eq!((lower.count(), lower.sum()), (1, 100));
        // The maximum of both cannot exceed the earlier one, whatever the bucket.
        let same = tally_of(&[5000, 4999]).since(&earlier);
        assert_eq!(same.largest(), Some(Largest::AtMost(5000)));
    }

    proptest! {
        #[test]
        fn quantiles_are_within_the_error(
            mut values in proptest::collection::vec(0..1_u64 << 39, 1..200),
            per_mille in 1..=1000_u16,
        ) {
            let tally = tally_of(&values);
            values.sort_unstable();
            let rank = (values.len() * usize::from(per_mille)).div_ceil(1000).max(1);
            let exact = values[rank - 1];
            let quantile = tally.quantile(per_mille).unwrap();
            prop_assert!(
                quantile.abs_diff(exact) as f64 <= exact as f64 * ERROR_PERCENT / 100.0,
                "{} for {}", quantile, exact
            );
            prop_assert_eq!(tally.largest(), values.last().map(|most| Largest::Exactly(*most)));
        }

        #[test]
        fn quantiles_rise_and_end_below_the_largest(values in proptest::collection::vec(any::<u64>(), 1..200)) {
            // The sum of arbitrary values may overflow.
            let values: Vec<u64> = values.iter().map(|value| value >> 16).collect();
            let tally = tally_of(&values);
            let quantiles: Vec<u64> = [500, 900, 990, 999, 1000]
                .iter()
                .filter_map(|per_mille| tally.quantile(*per_mille))
                .collect();
            prop_assert!(quantiles.is_sorted());
            prop_assert!(quantiles.last().copied() <= tally.largest().map(Largest::value));
        }

        #[test]
        fn merged_parts_equal_the_whole(
            one in proptest::collection::vec(0..1_u64 << 45, 0..50),
            other in proptest::collection::vec(0..1_u64 << 45, 0..50),
        ) {
            let all: Vec<u64> = one.iter().chain(&other).copied().collect();
            let mut merged = tally_of(&one);
            merged.merge(&tally_of(&other));
            prop_assert_eq!(&merged, &tally_of(&all));
            let rest = merged.since(&tally_of(&one));
            prop_assert_eq!(rest.count(), other.len() as u64);
            prop_assert_eq!(rest.sum(), other.iter().sum::<u64>());
            if let Some(most) = other.iter().max() {
                prop_assert!(rest.largest().unwrap().value() >= *most);
            }
            prop_assert_eq!(
                merged.octaves().iter().map(|(_, count)| count).sum::<u64>(),
                merged.count()
            );
            prop_assert_eq!(merged.buckets().map(|(.., count)| count).sum::<u64>(), merged.count());
        }
    }
}
