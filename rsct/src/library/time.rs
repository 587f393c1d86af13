//! Clocks of observations.

use std::time::{Duration, SystemTime};

use crate::{kernel::hz::Hz, observe::Setup};

/// The units of a source's times.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    hz: Hz,
    realtime_offset_ns: i64,
}

impl Clock {
    pub(super) fn new(setup: &Setup, realtime_offset_ns: i64) -> Self {
        Self {
            hz: setup.hz,
            realtime_offset_ns,
        }
    }

    /// The time of day of a time on the monotonic clock.
    pub(super) fn system_time(&self, time_ns: u64) -> SystemTime {
        let since_epoch_ns = time_ns.saturating_add_signed(self.realtime_offset_ns);
        SystemTime::UNIX_EPOCH + Duration::from_nanos(since_epoch_ns)
    }

    /// The rest of a timeout.
    pub(super) fn left(&self, status: u32, timeout_jiffies: u32, now_jiffies: u32) -> Duration {
        let left_ms = self.hz.left_ms(status, timeout_jiffies, now_jiffies);
        Duration::from_millis(u64::try_from(left_ms).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::status;

    #[test]
    fn times_have_the_units_of_their_source() {
        let clock = Clock {
            hz: Hz::new(250).unwrap(),
            realtime_offset_ns: 5,
        };
        assert_eq!(
            clock.system_time(7),
            SystemTime::UNIX_EPOCH + Duration::from_nanos(12)
        );
        assert_eq!(clock.left(status::CONFIRMED, 600, 100), Duration::from_secs(2));
        assert_eq!(clock.left(status::CONFIRMED, 100, 600), Duration::ZERO);
    }
}
