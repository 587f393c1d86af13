//! A measurement next to a trace, whose failure does not end the trace.

use super::Latency;
use crate::{observe::Consumer, probe::tallies::TalliesError};

/// The measurement, if there is one.
#[derive(Default)]
pub(in crate::source::live) struct NextToTrace(Option<Latency>);

impl NextToTrace {
    /// With these programs.
    pub(in crate::source::live) fn of(latency: Latency) -> Self {
        Self(Some(latency))
    }

    /// See [`Latency::begin`].
    pub(in crate::source::live) fn begin(&mut self, consumer: &mut impl Consumer) {
        self.attempt(|latency| latency.begin(consumer));
    }

    /// See [`Latency::go_on`].
    pub(in crate::source::live) fn go_on(&mut self, consumer: &mut impl Consumer) {
        self.attempt(|latency| latency.go_on(consumer));
    }

    /// See [`Latency::end`].
    pub(in crate::source::live) fn end(&mut self, consumer: &mut impl Consumer) {
        self.attempt(|latency| latency.end(consumer));
    }

    fn attempt(&mut self, step: impl FnOnce(&mut Latency) -> Result<(), TalliesError>) {
        if let Some(latency) = &mut self.0
            && let Err(error) = step(latency)
        {
            message!("latency is no longer recorded: {error}");
            self.0 = None;
        }
    }
}
