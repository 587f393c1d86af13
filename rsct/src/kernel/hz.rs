//! The length of a tick, and times that the kernel keeps in ticks.
//!
//! Conntrack's timeouts are jiffies, cut to 32 bits. How many make a second was fixed when the
//! kernel was built and stands in no file that is always there; but the coarse clock is advanced
//! once a tick, and its resolution says how long that is.

use std::io;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::flow::names::status;

const NANOS: u64 = 1_000_000_000;

/// Ticks per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hz(NonZeroU32);

/// The kernel did not say how long a tick is.
#[derive(Debug, thiserror::Error)]
#[error("cannot learn the kernel's HZ from the resolution of CLOCK_MONOTONIC_COARSE: {cause}")]
pub struct HzError {
    cause: String,
}

impl Hz {
    /// The running kernel's. For anyone: no privileges are needed.
    pub fn of_running_kernel() -> Result<Self, HzError> {
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
            cause: format!("it says {} s and {tick_ns} ns", resolution.tv_sec),
        })
    }

    /// `HZ` from its number.
    pub const fn new(per_second: u32) -> Option<Self> {
        match NonZeroU32::new(per_second) {
            Some(hz) => Some(Self(hz)),
            None => None,
        }
    }

    /// From a tick's length: `posix_get_coarse_res` (kernel/time/posix-timers.c) returns TICK_NSEC,
    /// which is 10^9 / HZ rounded (include/linux/jiffies.h).
    fn from_tick_ns(tick_ns: u64) -> Option<Self> {
        let hz = (NANOS + tick_ns / 2).checked_div(tick_ns)?;
        // Linux has 24 (m68k) to 1200 (alpha); a high resolution clock would say 1 ns.
        let hz = u32::try_from(hz).ok().filter(|hz| (1..=10_000).contains(hz))?;
        NonZeroU32::new(hz).map(Self)
    }

    /// Ticks per second.
    pub fn get(self) -> u32 {
        self.0.get()
    }

    /// The longest timeout, in whole seconds, that conntrack keeps: it tells a deadline to come from one that has passed
    /// by the sign of 32 bits (`nf_ct_expires`), so that an entry with a longer one has expired at once. sysctl takes no
    /// more either (`proc_dointvec_jiffies`); cttimeout takes anything.
    pub fn longest_timeout_seconds(self) -> u32 {
        i32::MAX.cast_unsigned() / self.get()
    }

    /// How long this many ticks take.
    pub fn duration(self, jiffies: u32) -> Duration {
        let (jiffies, hz) = (u64::from(jiffies), u64::from(self.get()));
        // Below 10^9 / HZ each.
        Duration::from_secs(jiffies / hz) + Duration::from_nanos(jiffies % hz * NANOS / hz)
    }

    /// A span of jiffies in milliseconds.
    pub fn span_ms(self, jiffies: u32) -> u64 {
        u64::from(jiffies) * 1000 / u64::from(self.get())
    }

    /// The milliseconds left of an entry's timeout as a record holds it, negative once it has expired: a span until the
    /// entry is confirmed, a point in time afterwards (`nf_conntrack_confirm` adds the time).
    pub fn left_ms(self, status: u32, timeout: u32, now: u32) -> i64 {
        let jiffies = if status & status::CONFIRMED == 0 {
            timeout.cast_signed()
        } else {
            Jiffies32(timeout).since(Jiffies32(now))
        };
        i64::from(jiffies) * 1000 / i64::from(self.get())
    }

    /// What is left until `deadline`; zero if it has passed, as `nf_ct_expires` has it
    /// (include/net/netfilter/nf_conntrack.h).
    pub fn remaining(self, deadline: Jiffies32, now: Jiffies32) -> Duration {
        self.duration(u32::try_from(deadline.since(now)).unwrap_or(0))
    }
}

/// A moment on the kernel's clock of ticks, in the 32 bits that conntrack keeps (`nfct_time_stamp`).
///
/// It wraps (after 49 days at 1000 ticks a second, and for the first time five minutes after boot),
/// so two moments compare only if they are less than half of that apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jiffies32(pub u32);

impl Jiffies32 {
    /// Ticks from `earlier` to this moment; negative if it is the later one.
    pub fn since(self, earlier: Self) -> i32 {
        self.0.wrapping_sub(earlier.0).cast_signed()
    }

    /// The moment this many ticks on.
    pub fn plus(self, jiffies: u32) -> Self {
        Self(self.0.wrapping_add(jiffies))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_running_kernel_ticks() {
        assert!((24..=1200).contains(&Hz::of_running_kernel().unwrap().get()));
    }

    #[test]
    fn clocks_that_do_not_tick_are_refused() {
        assert_eq!(Hz::from_tick_ns(0), None);
        assert_eq!(Hz::from_tick_ns(1), None);
        assert_eq!(Hz::from_tick_ns(NANOS * 3), None);
    }

    #[test]
    fn a_timeout_set_before_the_wrap_ends_after_it() {
        let hz = Hz::from_tick_ns(4_000_000).unwrap();
        let now = Jiffies32(u32::MAX - 99);
        let deadline = now.plus(30 * 250);
        assert_eq!(deadline.0, 7400);
        assert_eq!(hz.remaining(deadline, now), Duration::from_secs(30));
        assert_eq!(hz.remaining(now, deadline), Duration::ZERO);
    }

    proptest! {
        #[test]
        fn every_hz_is_read_back_from_its_tick(hz in 1_u32..=10_000) {
            let tick_ns = (NANOS + u64::from(hz) / 2) / u64::from(hz);
            prop_assert_eq!(Hz::from_tick_ns(tick_ns).unwrap().get(), hz);
        }

        #[test]
        fn since_undoes_plus(start: u32, ticks in 0..=i32::MAX.cast_unsigned()) {
            let later = Jiffies32(start).plus(ticks);
            prop_assert_eq!(later.since(Jiffies32(start)), ticks.cast_signed());
            prop_assert_eq!(Jiffies32(start).since(later), -ticks.cast_signed());
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
