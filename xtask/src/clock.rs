//! The rate of this machine's time stamp counter, which a guest without KVM reads as its own.
//!
//! A guest measures that rate against an emulated timer in a few milliseconds of its start. If the host interrupts it
//! then, the rate is wrong by a factor, and so is the guest's clock from there on. So it is told.

use std::sync::OnceLock;

/// The kernel's argument with the rate; none on a machine whose counter is unknown.
pub fn argument() -> Option<String> {
    static RATE: OnceLock<Option<u64>> = OnceLock::new();
    RATE.get_or_init(kilohertz)
        .map(|rate| format!("tsc_early_khz={rate}"))
}

#[cfg(target_arch = "x86_64")]
fn kilohertz() -> Option<u64> {
    use std::{thread, time::Duration};

    const WINDOW: Duration = Duration::from_millis(100);
    let begin = sample();
    thread::sleep(WINDOW);
    let end = sample();
    let ticks = u128::from(end.ticks.checked_sub(begin.ticks)?);
    let nanoseconds = end.at.duration_since(begin.at).as_nanos();
    u64::try_from(ticks * 1_000_000 / nanoseconds)
        .ok()
        .filter(|&rate| rate > 0)
}

#[cfg(not(target_arch = "x86_64"))]
fn kilohertz() -> Option<u64> {
    None
}

/// The counter at a time.
#[cfg(target_arch = "x86_64")]
struct Sample {
    at: std::time::Instant,
    ticks: u64,
}

/// Of several samples the one with the shortest interruption between the two clocks.
#[cfg(target_arch = "x86_64")]
fn sample() -> Sample {
    use std::{arch::x86_64::_rdtsc, time::Instant};

    let one = || {
        let before = Instant::now();
        // SAFETY: every x86-64 processor has the instruction.
        let ticks = unsafe { _rdtsc() };
        let width = before.elapsed();
        (
            width,
            Sample {
                at: before + width / 2,
                ticks,
            },
        )
    };
    let mut best = one();
    for _ in 0..100 {
        let next = one();
        if next.0 < best.0 {
            best = next;
        }
    }
    best.1
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    #[test]
    fn two_measurements_agree() {
        let (one, other) = (kilohertz().unwrap(), kilohertz().unwrap());
        assert!(one.abs_diff(other) < one / 1000, "{one} and {other} kHz");
    }
}
