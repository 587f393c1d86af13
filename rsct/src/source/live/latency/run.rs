//! The loop of a measurement without a trace.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use super::{Latency, LatencyError};
use crate::{
    kernel::interrupt::Signals,
    observe::{Consumer, Ended, Input},
};

/// Interval at which the ring buffer is read for slow calls.
const TICK: Duration = Duration::from_millis(20);
/// Longer than any measurement.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);

impl Latency {
    /// Measures until the duration ends, a signal arrives, or the consumer needs no more. The last input is
    /// [`Input::Ended`].
    pub(crate) async fn run<C: Consumer>(
        &mut self,
        consumer: &mut C,
        mut signals: Signals,
        duration: Duration,
    ) -> Result<(), LatencyError> {
        self.begin(consumer)?;
        let start = Instant::now();
        let mut tick = interval(match self.begins.slower_than_ns {
            Some(_) => TICK,
            None => FOREVER,
        });
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !consumer.is_over() {
            let due = self.due.map_or(start + FOREVER, Instant::from_std);
            tokio::select! {
                biased;
                () = signals.any() => break,
                () = sleep_until(start + duration) => break,
                () = sleep_until(due) => {}
                _ = tick.tick() => {}
            }
            self.go_on(consumer)?;
        }
        self.end(consumer)?;
        consumer.take(Input::Ended(&Ended {
            elapsed: start.elapsed(),
            ..Ended::default()
        }));
        Ok(())
    }
}
