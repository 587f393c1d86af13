//! The clock of the records.

/// Nanoseconds of the monotonic clock, as `bpf_ktime_get_ns` returns them.
pub(crate) fn monotonic_ns() -> u64 {
    nanoseconds(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds from the zero of the monotonic clock to that of the time of day, with its sign changed: added to a monotonic
/// time it gives the time of day. Changes when the clock is set, and during suspend.
pub(crate) fn realtime_offset_ns() -> i64 {
    let before = monotonic_ns();
    let now = nanoseconds(libc::CLOCK_REALTIME);
    let after = monotonic_ns();
    now.wrapping_sub(before + (after - before) / 2).cast_signed()
}

fn nanoseconds(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the kernel fills in the struct; these clocks always exist.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
