//! HZ, the number of jiffies per second.
//!
//! Conntrack's timeouts are jiffies, cut to 32 bits. HZ is a build option that no file is certain to contain;
//! but the coarse clock advances once per jiffy, so its resolution is the length of a jiffy.

use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::names::status;

const NANOS: u64 = 1_000_000_000;

/// Jiffies per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hz(NonZeroU32);

/// The kernel did not report the length of a jiffy.
#[derive(Debug, thiserror::Error)]
#[error("cannot determine the kernel's HZ from the resolution of CLOCK_MONOTONIC_COARSE: {cause}")]
pub(crate) struct HzError {
    cause: String,
}

impl Hz {
    /// HZ of the running kernel. Needs no privileges.
    pub(crate) fn of_running_kernel() -> Result<Self, HzError> {
        let mut resolution = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: the pointer is to a timespec of our own.
        if unsafe { libc::clock_getres(libc::CLOCK_MONOTONIC_COARSE, &raw mut resolution) } != 0 {
            return Err(HzError {
                cause: io::Error::last_os_error().to_string(),
            });
        }
        let tick_ns = u64::try_from(resolution.tv_nsec).unwrap_or(0);
        let hz = if resolution.tv_sec == 0 {
            Self::from_tick_ns(tick_ns)
        } else {
            None
        };
        hz.ok_or_else(|| HzError {
            cause: format!("it is {} s and {tick_ns} ns", resolution.tv_sec),
        })
    }

    /// `HZ` from its number.
    #[cfg(test)]
    pub(crate) const fn new(per_second: u32) -> Option<Self> {
        match NonZeroU32::new(per_second) {
            Some(hz) => Some(Self(hz)),
            None => None,
        }
    }

    /// Computes HZ from a jiffy's length: `posix_get_coarse_res` (kernel/time/posix-timers.c) returns
    /// TICK_NSEC, which is 10^9 / HZ rounded (include/linux/jiffies.h).
    fn from_tick_ns(tick_ns: u64) -> Option<Self> {
        let hz = (NANOS + tick_ns / 2).checked_div(tick_ns)?;
        // Linux has 24 (m68k) to 1200 (alpha); a high resolution clock would report 1 ns.
        let hz = u32::try_from(hz).ok().filter(|hz| (1..=10_000).contains(hz))?;
        NonZeroU32::new(hz).map(Self)
    }

    /// Jiffies per second.
    pub(crate) fn get(self) -> u32 {
        self.0.get()
    }

    /// The longest timeout, in whole seconds, that conntrack keeps: `nf_ct_expires` uses the sign of 32 bits
    /// to detect a passed deadline, so an entry with a longer timeout expires at once. sysctl has the same
    /// limit (`proc_dointvec_jiffies`); cttimeout has none.
    pub(crate) fn longest_timeout_seconds(self) -> u32 {
        i32::MAX.cast_unsigned() / self.get()
    }

    /// Duration of this many jiffies.
    pub(crate) fn duration(self, jiffies: u32) -> Duration {
        let (jiffies, hz) = (u64::from(jiffies), u64::from(self.get()));
        // Below 10^9 / HZ each.
        Duration::from_secs(jiffies / hz) + Duration::from_nanos(jiffies % hz * NANOS / hz)
    }

    /// A span of jiffies in milliseconds.
    pub(crate) fn span_ms(self, jiffies: u32) -> u64 {
        u64::from(jiffies) * 1000 / u64::from(self.get())
    }

    /// The milliseconds left of an entry's timeout as a record holds it, negative once it has expired: a span until the
    /// entry is confirmed, a point in time afterwards (`nf_conntrack_confirm` adds the time).
    pub(crate) fn left_ms(self, status: u32, timeout: u32, now: u32) -> i64 {
        let jiffies = if status & status::CONFIRMED == 0 {
            timeout.cast_signed()
        } else {
            Jiffies32(timeout).since(Jiffies32(now))
        };
        i64::from(jiffies) * 1000 / i64::from(self.get())
    }
}

/// A moment on the kernel's clock of ticks, in the 32 bits that conntrack keeps (`nfct_time_stamp`).
///
/// It wraps (after 49 days at 1000 ticks a second, and for the first time five minutes after boot),
/// so two moments compare only if they are less than half of that apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Jiffies32(pub u32);

impl Jiffies32 {
    /// Ticks from `earlier` to this moment; negative if it is the later one.
    pub(crate) fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_running_kernels_hz_is_plausible() {
        assert!((24..=1200).contains(&Hz::of_running_kernel().unwrap().get()));
    }

    #[test]
    fn implausible_tick_lengths_are_refused() {
        assert_eq!(Hz::from_tick_ns(0), None);
        assert_eq!(Hz::from_tick_ns(1), None);
        assert_eq!(Hz::from_tick_ns(NANOS * 3), None);
    }

    #[test]
    fn a_deadline_after_the_wrap_is_in_the_future() {
        let hz = Hz::new(250).unwrap();
        let (now, deadline) = (u32::MAX - 99, 7400);
        assert_eq!(hz.left_ms(status::CONFIRMED, deadline, now), 30_000);
        assert_eq!(hz.left_ms(status::CONFIRMED, now, deadline), -30_000);
        assert_eq!(hz.left_ms(0, deadline, now), 29_600);
    }

    proptest! {
        #[test]
        fn hz_is_computed_from_the_tick_length(hz in 1_u32..=10_000) {
            let tick_ns = (NANOS + u64::from(hz) / 2) / u64::from(hz);
            prop_assert_eq!(Hz::from_tick_ns(tick_ns).unwrap().get(), hz);
        }

        #[test]
        fn durations_are_exact_to_a_tick(hz in 24_u32..=1200, jiffies: u32) {
            let hz = Hz(NonZeroU32::new(hz).unwrap());
            let back = hz.duration(jiffies).as_nanos() * u128::from(hz.get());
            let exact = u128::from(jiffies) * u128::from(NANOS);
            prop_assert!(back <= exact && exact - back < u128::from(hz.get()));
        }
    }
}
