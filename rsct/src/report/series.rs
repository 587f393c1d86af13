//! Figures over time, of a bounded number of moments: a week needs no more memory than a minute.

use std::collections::HashMap;

use crate::{
    latency::Tally,
    snapshot::{Population, Totals},
};

/// The most moments.
pub(crate) const MOST: usize = 240;
/// The most pairs of protocol and state at a moment.
const MOST_STATES: usize = 32;
/// The time between the first moments.
const FIRST_STEP_NS: u64 = 100_000_000;

/// A protocol and its state.
pub(crate) type State = (u8, u8);

/// The table that is nearest to its limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fullest {
    /// Inode number of its namespace.
    pub netns: u32,
    /// Its entries.
    pub entries: u64,
    /// `net.netfilter.nf_conntrack_max`.
    pub max: u64,
}

impl Fullest {
    /// Its use in percent.
    pub(crate) fn percent(&self) -> f64 {
        self.entries as f64 * 100.0 / self.max.max(1) as f64
    }
}

/// The figures at a moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Point {
    /// The time on the monotonic clock.
    pub time_ns: u64,
    /// The totals since the start.
    pub totals: Totals,
    /// The entries of all tables.
    pub entries: u64,
    /// The table that is nearest to its limit; none if no limit is known.
    pub fullest: Option<Fullest>,
    /// The most frequent states, and the number of their entries.
    pub states: Vec<(State, u64)>,
    /// The entries of all states.
    pub population: u64,
    /// The count of each cause since the start, in the order of their first occurrence.
    pub causes: Vec<u64>,
    /// The durations since the start.
    pub durations: Tally,
}

impl Point {
    /// Counts entries by protocol and state.
    pub(super) fn set_states(&mut self, population: &Population) {
        let mut counts: HashMap<State, u64> = HashMap::new();
        for (class, count) in population.classes() {
            *counts.entry((class.protonum, class.state)).or_default() += count;
        }
        self.states = counts.into_iter().collect();
        self.states
            .sort_unstable_by_key(|(state, count)| (std::cmp::Reverse(*count), *state));
        self.population = self.states.iter().map(|(_, count)| count).sum();
        self.states.truncate(MOST_STATES);
    }

    /// The number of entries in a state.
    pub(crate) fn in_state(&self, state: State) -> u64 {
        let found = self.states.iter().find(|(of, _)| *of == state);
        found.map_or(0, |(_, count)| *count)
    }

    /// The count of a cause.
    pub(crate) fn of_cause(&self, index: usize) -> u64 {
        self.causes.get(index).copied().unwrap_or(0)
    }
}

/// Values with the end of their time, in seconds since the start. Each begins where the one before ends; where nothing was
/// measured, it is not a number.
pub(crate) type Values = Vec<(f64, f64)>;

/// Moments in order of time.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// The moments. The first is the start.
    pub points: Vec<Point>,
    step_ns: u64,
}

impl Series {
    /// Begins at this time.
    pub(crate) fn new(time_ns: u64) -> Self {
        Self {
            points: vec![Point {
                time_ns,
                ..Point::default()
            }],
            step_ns: FIRST_STEP_NS,
        }
    }

    /// Returns whether a moment is due.
    pub(crate) fn is_due(&self, time_ns: u64) -> bool {
        let last = self.points.last().map_or(0, |point| point.time_ns);
        time_ns >= last.saturating_add(self.step_ns)
    }

    /// Adds a moment. If there are too many, every second one is dropped: the totals of the others include it.
    pub(crate) fn push(&mut self, point: Point) {
        // Only the end follows so soon. A few events in a few milliseconds would be a rate above all others.
        let soon_ns = self.step_ns / 2;
        let follows_soon = |last: &Point| last.time_ns.saturating_add(soon_ns) > point.time_ns;
        if self.points.len() > 1 && self.points.last().is_some_and(follows_soon) {
            self.points.pop();
        }
        self.points.push(point);
        if self.points.len() > MOST {
            let mut index = 0;
            self.points.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.step_ns *= 2;
        }
    }

    /// The time from the start to the last moment, in seconds.
    pub(crate) fn length_s(&self) -> f64 {
        self.points.last().map_or(0.0, |last| self.seconds(last))
    }

    fn seconds(&self, point: &Point) -> f64 {
        let start_ns = self.points.first().map_or(0, |point| point.time_ns);
        point.time_ns.saturating_sub(start_ns) as f64 / 1e9
    }

    /// Pairs of successive moments.
    pub(crate) fn steps(&self) -> impl Iterator<Item = (&Point, &Point)> {
        self.points.iter().zip(self.points.iter().skip(1))
    }

    /// A total's growth per second.
    pub(crate) fn rates(&self, of: impl Fn(&Point) -> u64) -> Values {
        let rate = |(before, after): (&Point, &Point)| Some((self.seconds(after), rate(before, after, &of)?));
        self.steps().filter_map(rate).collect()
    }

    /// A value at each moment after the start; none at all if nothing was measured.
    pub(crate) fn values(&self, of: impl Fn(&Point) -> Option<f64>) -> Values {
        self.measured(|_, point| of(point))
    }

    /// A value of each step; none at all if nothing was measured.
    pub(crate) fn measured(&self, of: impl Fn(&Point, &Point) -> Option<f64>) -> Values {
        let value =
            |(before, after): (&Point, &Point)| (self.seconds(after), of(before, after).unwrap_or(f64::NAN));
        let values: Values = self.steps().map(value).collect();
        match values.iter().all(|(_, value)| value.is_nan()) {
            true => Vec::new(),
            false => values,
        }
    }

    /// At most `most` intervals of about equal length: the moments at their begins and ends.
    pub(crate) fn intervals(&self, most: usize) -> Vec<(&Point, &Point)> {
        let (Some(first), Some(last)) = (self.points.first(), self.points.last()) else {
            return Vec::new();
        };
        let length_ns = last.time_ns.saturating_sub(first.time_ns);
        let mut bounds = vec![first];
        for number in 1..=most {
            let ideal_ns = first.time_ns + (u128::from(length_ns) * number as u128 / most as u128) as u64;
            let nearest = self
                .points
                .iter()
                .min_by_key(|point| point.time_ns.abs_diff(ideal_ns));
            bounds.extend(
                nearest.filter(|point| bounds.last().is_some_and(|before| point.time_ns > before.time_ns)),
            );
        }
        bounds
            .iter()
            .copied()
            .zip(bounds.iter().copied().skip(1))
            .collect()
    }
}

/// A total's growth per second between two moments.
pub(crate) fn rate(before: &Point, after: &Point, of: impl Fn(&Point) -> u64) -> Option<f64> {
    let seconds = after.time_ns.saturating_sub(before.time_ns) as f64 / 1e9;
    let growth = of(after).saturating_sub(of(before)) as f64;
    (seconds > 0.0).then(|| growth / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Class;

    fn point(second: u64) -> Point {
        Point {
            time_ns: second * 1_000_000_000,
            totals: Totals {
                packets: 10 * second,
                ..Totals::default()
            },
            entries: second,
            ..Point::default()
        }
    }

    #[test]
    fn the_end_makes_no_step_of_a_few_milliseconds() {
        let mut series = Series::new(0);
        series.push(point(1));
        series.push(point(2));
        let mut end = point(2);
        end.time_ns += 3_000_000;
        end.totals.packets += 5;
        series.push(end);
        let rates: Vec<u64> = series
            .rates(|point| point.totals.packets)
            .into_iter()
            .map(|(_, rate)| rate.round() as u64)
            .collect();
        assert_eq!(rates, [10, 15]);
    }

    #[test]
    fn a_week_is_bounded_and_has_the_same_rates() {
        let mut series = Series::new(0);
        let mut pushed = 0;
        for second in 1..=7 * 24 * 3600 {
            if series.is_due(second * 1_000_000_000) {
                series.push(point(second));
                pushed += 1;
            }
        }
        assert!(
            series.points.len() <= MOST && series.points.len() > MOST / 3,
            "{pushed}"
        );
        assert!(pushed < 10 * MOST, "moments are costly: {pushed}");
        assert_eq!(series.points[0].time_ns, 0);
        for (_, rate) in series.rates(|point| point.totals.packets) {
            assert!((rate - 10.0).abs() < 1e-6, "{rate}");
        }
    }

    #[test]
    fn the_end_replaces_a_moment_of_the_same_time() {
        let mut series = Series::new(0);
        series.push(point(1));
        series.push(Point {
            entries: 9,
            ..point(1)
        });
        assert_eq!(series.values(|point| Some(point.entries as f64)), [(1.0, 9.0)]);
        assert_eq!(
            series.values(|point| point.fullest.map(|of| of.entries as f64)),
            []
        );
    }

    #[test]
    fn the_start_stays_if_the_end_is_at_its_time() {
        let mut series = Series::new(5);
        series.push(Point {
            time_ns: 5,
            ..Point::default()
        });
        assert_eq!(series.points.len(), 2);
        assert_eq!(series.rates(|point| point.totals.packets), []);
        assert!(series.intervals(20).is_empty());
    }

    #[test]
    fn states_are_bounded_and_counted_whole() {
        let mut population = Population::default();
        for netns in 0..300 {
            for state in 0..=255 {
                let class = Class {
                    netns,
                    zone: 0,
                    protonum: 6,
                    state,
                };
                population.add(class, 1 + i64::from(state));
            }
        }
        let mut point = Point::default();
        point.set_states(&population);
        assert_eq!(point.states.len(), MOST_STATES);
        assert_eq!(point.in_state((6, 255)), 300 * 256);
        assert_eq!(
            (point.in_state((6, 0)), point.population),
            (0, 300 * 256 * 257 / 2)
        );
    }

    #[test]
    fn intervals_are_about_equal_and_cover_the_whole() {
        let mut series = Series::new(0);
        for second in 1..=130 {
            series.push(point(second));
        }
        let intervals = series.intervals(20);
        assert_eq!(intervals.len(), 20);
        let lengths: u64 = intervals
            .iter()
            .map(|(from, to)| to.time_ns - from.time_ns)
            .inspect(|length| assert!((6..=7).contains(&(length / 1_000_000_000))))
            .sum();
        assert_eq!(lengths, 130_000_000_000);
        let mut short = Series::new(0);
        (1..=4).for_each(|second| short.push(point(second)));
        assert_eq!(short.intervals(20).len(), 4);
    }
}
