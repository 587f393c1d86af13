//! From readings to reports: the whole of a window, and its intervals.

use std::ops::RangeInclusive;

use super::{Losses, Reading, Snapshot};

/// The counters of a stretch of time.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stretch {
    /// The time at its end, on the monotonic clock.
    pub time_ns: u64,
    /// Its duration.
    pub elapsed_ns: u64,
    /// The time from the first snapshot to its end.
    pub since_first_ns: u64,
    /// The counters.
    pub reading: Reading,
    /// What they lack.
    pub losses: Losses,
}

/// Makes stretches of the snapshots of a window.
#[derive(Clone, Debug)]
pub(crate) struct Spans {
    window_ns: RangeInclusive<u64>,
    every_ns: Option<u64>,
    tolerance_ns: u64,
    first: Option<Snapshot>,
    /// The start of the current interval.
    from: Option<Snapshot>,
    due_ns: u64,
    last: Option<Snapshot>,
}

impl Spans {
    /// Snapshots outside the window are ignored. With `every_ns`, there are intervals of this duration.
    pub(crate) fn new(window_ns: RangeInclusive<u64>, every_ns: Option<u64>) -> Self {
        Self {
            window_ns,
            every_ns: every_ns.filter(|every_ns| *every_ns != 0),
            tolerance_ns: 0,
            first: None,
            from: None,
            due_ns: u64::MAX,
            last: None,
        }
    }

    /// An interval also ends with a snapshot that is early by this time: those of a recording have their own rhythm.
    pub(crate) fn tolerate(&mut self, tolerance_ns: u64) {
        self.tolerance_ns = tolerance_ns;
    }

    /// The first snapshot of the window.
    pub(crate) fn first(&self) -> Option<&Snapshot> {
        self.first.as_ref()
    }

    /// Takes a snapshot. Returns the interval that ends with it, if one does.
    pub(crate) fn take(&mut self, snapshot: &Snapshot) -> Option<Stretch> {
        if !self.window_ns.contains(&snapshot.time_ns) {
            return None;
        }
        self.last = Some(snapshot.clone());
        let (Some(first), Some(from)) = (&self.first, &self.from) else {
            self.first = Some(snapshot.clone());
            self.from = Some(snapshot.clone());
            self.due_ns = self
                .every_ns
                .map_or(u64::MAX, |every_ns| snapshot.time_ns.saturating_add(every_ns));
            return None;
        };
        let every_ns = self.every_ns?;
        let early_ns = snapshot.time_ns.saturating_add(self.tolerance_ns);
        if early_ns < self.due_ns {
            return None;
        }
        let interval = stretch(first, from, snapshot);
        let passed = (early_ns - first.time_ns) / every_ns;
        self.due_ns = first
            .time_ns
            .saturating_add((passed + 1).saturating_mul(every_ns));
        self.from = Some(snapshot.clone());
        Some(interval)
    }

    /// The whole window up to now; none without two snapshots.
    pub(crate) fn whole(&self) -> Option<Stretch> {
        let (Some(first), Some(last)) = (&self.first, &self.last) else {
            return None;
        };
        (first.time_ns != last.time_ns).then(|| stretch(first, first, last))
    }
}

fn stretch(first: &Snapshot, from: &Snapshot, to: &Snapshot) -> Stretch {
    let (reading, losses) = to.since(from);
    Stretch {
        time_ns: to.time_ns,
        elapsed_ns: to.time_ns.saturating_sub(from.time_ns),
        since_first_ns: to.time_ns.saturating_sub(first.time_ns),
        reading,
        losses,
    }
}

#[cfg(test)]
mod tests {
    use rsct_common::latency::Function;

    use super::*;
    use crate::latency::{Key, tally_of};

    /// A snapshot after `calls` calls.
    fn snapshot(time_ns: u64, calls: usize) -> Snapshot {
        let mut snapshot = Snapshot {
            time_ns,
            ..Snapshot::default()
        };
        let key = (Function::ConntrackIn, Key::Outcome(1));
        snapshot
            .reading
            .durations
            .insert(key, tally_of(&vec![500; calls]));
        snapshot
    }

    fn calls(stretch: &Stretch) -> (u64, u64) {
        let count = stretch.reading.total(Function::ConntrackIn).count();
        (stretch.elapsed_ns, count)
    }

    #[test]
    fn the_whole_is_the_last_less_the_first_of_the_window() {
        let mut spans = Spans::new(10..=30, None);
        for (time_ns, calls) in [(5, 1), (10, 3), (20, 4), (30, 9), (31, 50)] {
            assert_eq!(spans.take(&snapshot(time_ns, calls)), None);
        }
        assert_eq!(spans.first().map(|first| first.time_ns), Some(10));
        assert_eq!(spans.whole().as_ref().map(calls), Some((20, 6)));
    }

    #[test]
    fn one_snapshot_is_no_stretch() {
        let mut spans = Spans::new(0..=10, Some(5));
        assert_eq!(spans.whole(), None);
        spans.take(&snapshot(3, 1));
        spans.take(&snapshot(11, 5));
        assert_eq!(spans.whole(), None);
    }

    #[test]
    fn intervals_keep_their_rhythm() {
        let mut spans = Spans::new(0..=u64::MAX, Some(100));
        let ends = [
            (1000, 0),
            (1050, 1),
            (1101, 2),
            (1199, 3),
            (1200, 5),
            (1450, 6),
            (1500, 8),
        ];
        let intervals: Vec<(u64, u64)> = ends
            .iter()
            .filter_map(|(time_ns, calls)| spans.take(&snapshot(*time_ns, *calls)))
            .map(|interval| calls(&interval))
            .collect();
        assert_eq!(intervals, [(101, 2), (99, 3), (250, 1), (50, 2)]);
        assert_eq!(spans.whole().as_ref().map(calls), Some((500, 8)));
    }

    #[test]
    fn an_interval_may_end_early_by_the_tolerance() {
        let mut spans = Spans::new(0..=u64::MAX, Some(100));
        spans.tolerate(5);
        let intervals: Vec<u64> = [1000, 1096, 1194, 1195, 1300]
            .iter()
            .filter_map(|time_ns| spans.take(&snapshot(*time_ns, 0)))
            .map(|interval| interval.elapsed_ns)
            .collect();
        assert_eq!(intervals, [96, 99, 105]);
    }
}
