//! Recordings of several hosts or boots, merged by the time of day.

use crate::observe::Consumer;

use super::{FileError, Files, Window};

/// The recording of a boot, and the consumer of its inputs.
#[derive(Debug)]
pub(crate) struct Boot<C> {
    /// The files.
    pub files: Files,
    /// The part to report.
    pub window: Window,
    /// Added to a time on the boot's monotonic clock, it gives the time of day.
    pub realtime_offset_ns: i64,
    /// The consumer.
    pub consumer: C,
}

impl<C> Boot<C> {
    /// The time of day up to which all records were passed on.
    fn position_ns(&self) -> i128 {
        match self.files.position_ns() {
            u64::MAX => i128::MAX,
            position_ns => i128::from(position_ns) + i128::from(self.realtime_offset_ns),
        }
    }

    /// A time of day on the boot's monotonic clock.
    fn monotonic_ns(&self, time_ns: i128) -> u64 {
        match time_ns {
            i128::MAX => u64::MAX,
            time_ns => {
                u64::try_from((time_ns - i128::from(self.realtime_offset_ns)).max(0)).unwrap_or(u64::MAX)
            }
        }
    }
}

/// Passes on everything, in the order of the time of day.
pub(crate) fn run<C: Consumer>(boots: &mut [Boot<C>]) -> Result<(), FileError> {
    let mut open: Vec<usize> = (0..boots.len()).collect();
    loop {
        open.sort_by_key(|index| boots.get(*index).map(Boot::position_ns));
        let Some(first) = open.first().copied() else {
            break;
        };
        let next_ns = open
            .get(1)
            .and_then(|index| boots.get(*index))
            .map(Boot::position_ns);
        let Some(boot) = boots.get_mut(first) else { break };
        let pause_ns = boot.monotonic_ns(next_ns.unwrap_or(i128::MAX));
        if boot.consumer.is_over() {
            break;
        }
        if !boot.files.run_until(&mut boot.consumer, boot.window, pause_ns)? {
            boot.files.end(&mut boot.consumer, boot.window);
            open.retain(|index| *index != first);
        }
    }
    // A consumer that needs no more ends all.
    for index in open {
        if let Some(boot) = boots.get_mut(index) {
            boot.files.end(&mut boot.consumer, boot.window);
        }
    }
    Ok(())
}
