//! Events wait until no earlier one can follow: a record arrives when its operation ends, so that of a nested operation
//! precedes that of the operation around it.

use std::cmp::Reverse;

use super::tracks::Track;

/// Observations of different CPUs are out of order by at most this time, except for few.
const PATIENCE_NS: u64 = 20_000_000;
/// A recording whose times stand still holds no more than this number.
const MOST: usize = 64 << 10;

/// A slice, or an instant.
#[derive(Debug)]
pub(super) struct Event {
    /// Its begin.
    pub begin_ns: u64,
    /// Its end; none of an instant.
    pub end_ns: Option<u64>,
    /// Its track.
    pub track: Track,
    /// The fields of its `TrackEvent` but those of its time and track.
    pub body: Vec<u8>,
}

/// Events that wait.
#[derive(Debug, Default)]
pub(super) struct Held(Vec<Event>);

impl Held {
    /// Adds an event. Returns those that wait no longer.
    pub(super) fn add(&mut self, event: Event) -> Vec<Event> {
        self.0.push(event);
        match self.0.len() {
            MOST => {
                self.sort();
                self.0.drain(..MOST / 2).collect()
            }
            _ => Vec::new(),
        }
    }

    /// The events that wait no longer, in the order of their begins; of the same begin the longest first.
    pub(super) fn settled(&mut self, until_ns: u64) -> Vec<Event> {
        let until_ns = match until_ns {
            u64::MAX => u64::MAX,
            until_ns => until_ns.saturating_sub(PATIENCE_NS),
        };
        self.sort();
        let count = self.0.partition_point(|event| event.begin_ns < until_ns);
        self.0.drain(..count).collect()
    }

    fn sort(&mut self) {
        self.0
            .sort_by_key(|event| (event.begin_ns, Reverse(event.end_ns)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(begin_ns: u64, end_ns: u64) -> Event {
        Event {
            begin_ns,
            end_ns: Some(end_ns),
            track: Track::Lost,
            body: Vec::new(),
        }
    }

    fn times(events: &[Event]) -> Vec<(u64, u64)> {
        let times = events.iter();
        times
            .map(|event| (event.begin_ns, event.end_ns.unwrap()))
            .collect()
    }

    #[test]
    fn the_outer_slice_precedes_the_nested_one_that_ended_first() {
        let mut held = Held::default();
        for (begin_ns, end_ns) in [(80, 90), (50, 60), (50, 100), (PATIENCE_NS + 7, PATIENCE_NS + 9)] {
            assert!(held.add(event(begin_ns, end_ns)).is_empty());
        }
        assert_eq!(
            times(&held.settled(PATIENCE_NS + 100)),
            [(50, 100), (50, 60), (80, 90)]
        );
        assert_eq!(held.settled(u64::MAX).len(), 1);
    }

    #[test]
    fn times_that_stand_still_hold_a_bounded_number() {
        let mut held = Held::default();
        let mut written = 0;
        for count in 0..3 * MOST as u64 {
            written += held.add(event(count, count + 1)).len();
            assert!(held.0.len() < MOST);
        }
        assert_eq!(written + held.settled(u64::MAX).len(), 3 * MOST);
    }
}
