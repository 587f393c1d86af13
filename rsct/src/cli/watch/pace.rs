//! How fast events come.

use std::time::{Duration, Instant};

/// So many at least are looked at.
const SAMPLE: u32 = 16;
/// Events that are less apart, taken together, are a rush.
const APART: Duration = Duration::from_micros(100);
/// What is older says nothing of now.
const OLD: Duration = Duration::from_millis(20);

/// Counts events, and tells a rush of them.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    events: u32,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            since: Instant::now(),
            events: 0,
        }
    }
}

impl Pace {
    /// One came.
    pub(super) fn event(&mut self) {
        self.events = self.events.saturating_add(1);
    }

    /// Whether those that came since this was last asked came in a rush.
    pub(super) fn is_rush(&mut self) -> bool {
        self.is_rush_at(Instant::now())
    }

    fn is_rush_at(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.since);
        if self.events < SAMPLE && elapsed < OLD {
            return false;
        }
        let is_rush = self.events >= SAMPLE && elapsed < APART.saturating_mul(self.events);
        *self = Self {
            since: now,
            events: 0,
        };
        is_rush
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks after each of so many events, so far apart, and counts the rushes.
    fn rushes(events: u32, apart: Duration) -> usize {
        let mut pace = Pace::default();
        let start = pace.since;
        let ask = |number| {
            pace.event();
            pace.is_rush_at(start + apart * number)
        };
        (1..=events).map(ask).filter(|is_rush| *is_rush).count()
    }

    #[test]
    fn many_at_once_are_a_rush_and_a_trickle_is_none() {
        assert_eq!(rushes(160, Duration::from_micros(10)), 10);
        assert_eq!(rushes(160, Duration::from_micros(200)), 0);
        assert_eq!(rushes(160, Duration::from_secs(1)), 0);
        assert_eq!(rushes(15, Duration::ZERO), 0);
    }

    #[test]
    fn a_few_after_a_rest_are_none() {
        let mut pace = Pace::default();
        let later = pace.since + Duration::from_secs(1);
        for _ in 0..SAMPLE - 1 {
            pace.event();
        }
        assert!(!pace.is_rush_at(later));
        pace.event();
        assert!(!pace.is_rush_at(later));
    }
}
