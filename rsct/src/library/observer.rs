//! Consumers of observations.

use std::time::Duration;

use crate::{
    observe::{self, Joined, Model, Selection, Setup},
    source::{Source, SourceError, live::Limits},
};

use super::{Notice, Observation, Summary, time::Clock};

/// Consumes observations. Only [`observe`](Self::observe) is required.
///
/// ```
/// use rsct::{Observation, Observer, Outcome};
///
/// /// Counts INVALID packets.
/// struct Invalid(u64);
///
/// impl Observer for Invalid {
///     fn observe(&mut self, observation: &Observation<'_>) {
///         if let Observation::Packet(packet) = observation
///             && packet.outcome() == Outcome::Invalid
///         {
///             self.0 += 1;
///         }
///     }
/// }
/// ```
pub trait Observer {
    /// One observation.
    fn observe(&mut self, observation: &Observation<'_>);

    /// The stream of observations changed.
    fn notice(&mut self, _notice: &Notice) {}

    /// No later observation is of a time before `until` (monotonic clock), except for a few whose operation took long.
    /// A live trace calls it about 50 times a second, with and without packets; the last call has the greatest time.
    fn settled(&mut self, _until: Duration) {}

    /// Returns whether it needs no more observations: the trace then ends.
    fn is_over(&self) -> bool {
        false
    }
}

/// Passes on a source's observations.
struct Adapter<'a, O> {
    observer: &'a mut O,
    clock: Clock,
}

impl<O: Observer> observe::Observer for Adapter<'_, O> {
    fn observe(&mut self, observation: observe::Observation<'_>) {
        if let Some(observation) = Observation::of(observation, &self.clock) {
            self.observer.observe(&observation);
        }
    }

    fn notice(&mut self, notice: &observe::Notice) {
        if let Some(notice) = Notice::of(notice) {
            self.observer.notice(&notice);
        }
    }

    fn settled(&mut self, until_ns: u64) {
        self.observer.settled(Duration::from_nanos(until_ns));
    }

    fn is_over(&self) -> bool {
        self.observer.is_over()
    }
}

/// Runs a source to its end.
pub(super) async fn run(
    mut source: Source,
    selection: Selection,
    realtime_offset_ns: i64,
    limits: Limits,
    observer: &mut impl Observer,
) -> Result<Summary, SourceError> {
    let setup: &Setup = source.setup();
    let mut joined = Joined {
        model: Model::new(setup, selection),
        observer: Adapter {
            clock: Clock::new(setup, realtime_offset_ns),
            observer,
        },
    };
    source.run(&mut joined, limits).await?;
    Ok(Summary::of(&joined.model))
}
