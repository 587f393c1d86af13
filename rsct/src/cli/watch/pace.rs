//! The rate of events.

use std::time::{Duration, Instant};

/// Minimum number of events in a sample.
const SAMPLE: u32 = 16;
/// Mean distance of events below which they are a burst.
const BURST_DISTANCE: Duration = Duration::from_micros(100);
/// Maximum age of a sample.
const MAX_AGE: Duration = Duration::from_millis(20);

/// Counts events, and recognises bursts.
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
    /// Counts an event.
    pub(super) fn event(&mut self) {
        self.events = self.events.saturating_add(1);
    }

    /// Returns whether the events since the last sample were a burst.
    pub(super) fn is_burst(&mut self) -> bool {
        self.is_burst_at(Instant::now())
    }

    fn is_burst_at(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.since);
        if self.events < SAMPLE && elapsed < MAX_AGE {
            return false;
        }
        let is_burst = self.events >= SAMPLE && elapsed < BURST_DISTANCE.saturating_mul(self.events);
        *self = Self {
            since: now,
            events: 0,
        };
        is_burst
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of bursts among `events` events.
    fn bursts(events: u32, apart: Duration) -> usize {
        let mut pace = Pace::default();
        let start = pace.since;
        let next = |number| {
            pace.event();
            pace.is_burst_at(start + apart * number)
        };
        (1..=events).map(next).filter(|is_burst| *is_burst).count()
    }

    #[test]
    fn only_close_events_are_a_burst() {
        assert_eq!(bursts(160, Duration::from_micros(10)), 10);
        assert_eq!(bursts(160, Duration::from_micros(200)), 0);
        assert_eq!(bursts(160, Duration::from_secs(1)), 0);
        assert_eq!(bursts(15, Duration::ZERO), 0);
    }

    #[test]
    fn a_few_events_after_a_pause_are_no_burst() {
        let mut pace = Pace::default();
        let later = pace.since + Duration::from_secs(1);
        for _ in 0..SAMPLE - 1 {
            pace.event();
        }
        assert!(!pace.is_burst_at(later));
        pace.event();
        assert!(!pace.is_burst_at(later));
    }
}
