//! Totals over time, of a bounded number of moments: a week needs no more memory than a minute.

use crate::snapshot::Totals;

/// The most moments.
const MOST: usize = 240;
/// The time between the first moments.
const FIRST_STEP_NS: u64 = 100_000_000;

/// The totals at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Point {
    /// The time on the monotonic clock.
    pub time_ns: u64,
    /// The totals since the start.
    pub totals: Totals,
    /// The entries of all tables.
    pub entries: u64,
    /// The sum of their limits; none if one is unknown.
    pub max: Option<u64>,
}

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
        if self
            .points
            .last()
            .is_some_and(|last| last.time_ns >= point.time_ns)
        {
            // Only the end comes at the time of the last moment.
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

    /// A total's growth per second, with the time since the start in seconds.
    pub(crate) fn rates(&self, of: impl Fn(&Totals) -> u64) -> Vec<(f64, f64)> {
        let start_ns = self.points.first().map_or(0, |point| point.time_ns);
        let rate = |pair: &[Point]| {
            let [before, after] = pair else { return None };
            let seconds = after.time_ns.saturating_sub(before.time_ns) as f64 / 1e9;
            let growth = of(&after.totals).saturating_sub(of(&before.totals)) as f64;
            let at = after.time_ns.saturating_sub(start_ns) as f64 / 1e9;
            (seconds > 0.0).then(|| (at, growth / seconds))
        };
        self.points.windows(2).filter_map(rate).collect()
    }

    /// A value at each moment after the start, with the time since then in seconds.
    pub(crate) fn values(&self, of: impl Fn(&Point) -> Option<u64>) -> Vec<(f64, f64)> {
        let start_ns = self.points.first().map_or(0, |point| point.time_ns);
        let value = |point: &Point| {
            let at = point.time_ns.saturating_sub(start_ns) as f64 / 1e9;
            Some((at, of(point)? as f64))
        };
        self.points.iter().skip(1).filter_map(value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(second: u64) -> Point {
        Point {
            time_ns: second * 1_000_000_000,
            totals: Totals {
                packets: 10 * second,
                ..Totals::default()
            },
            entries: second,
            max: None,
        }
    }

    #[test]
    fn a_week_is_bounded_and_has_the_same_rates() {
        let mut series = Series::new(0);
        let mut pushed = 0;
        for second in 1..=7 * 24 * 3600 {
            if series.is_due(point(second).time_ns) {
                series.push(point(second));
                pushed += 1;
            }
        }
        assert!(
            series.points.len() <= MOST && series.points.len() > MOST / 3,
            "{pushed}"
        );
        assert_eq!(series.points[0].time_ns, 0);
        for (_, rate) in series.rates(|totals| totals.packets) {
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
        assert_eq!(series.values(|point| Some(point.entries)), [(1.0, 9.0)]);
        assert_eq!(series.values(|point| point.max), []);
    }
}
