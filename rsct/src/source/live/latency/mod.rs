//! The programs that measure durations as a source: [`Latency::run`] alone, or next to a trace.

mod locks;
mod next_to_trace;
mod run;
mod start;

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

pub(super) use next_to_trace::NextToTrace;
pub(crate) use start::LatencyOptions;

use super::{StartError, cause_reader::name};
use crate::{
    kernel::{clock, interfaces::Names, text::Symbols},
    latency::{Begins, By, Losses, Measured, Snapshot, Unproven},
    observe::{Consumer, Fact, Input},
    probe::{
        proof,
        session::Session,
        tallies::{Tallies, TalliesError},
    },
    records::Record,
};

/// Attached programs that measure.
pub(crate) struct Latency {
    session: Session,
    tallies: Tallies,
    begins: Begins,
    every: Option<Duration>,
    /// The time of the next reading.
    due: Option<Instant>,
    /// The kernel's functions, once there is a slow call.
    symbols: Option<Symbols>,
    /// Addresses whose functions were reported.
    named: HashSet<u64>,
}

/// A measurement failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LatencyError {
    /// The programs cannot start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The kernel does not run them.
    #[error("cannot measure: {0}")]
    Unproven(#[from] proof::Unproven),
    /// Their counters cannot be read.
    #[error(transparent)]
    Tallies(#[from] TalliesError),
}

impl Latency {
    /// Resets the counters, and reports the start and the first reading.
    pub(super) fn begin(&mut self, consumer: &mut impl Consumer) -> Result<(), TalliesError> {
        self.tallies.clear()?;
        let time_ns = clock::monotonic_ns();
        self.due = self.every.map(|every| Instant::now() + every);
        let snapshot = self.snapshot(time_ns)?;
        self.begins.time_ns = time_ns;
        if self.begins.by == By::Netns || self.begins.slower_than_ns.is_some() {
            consumer.take(Input::Fact(&Fact::Names(Names::read())));
        }
        consumer.take(Input::Latency(Measured::Begins(&self.begins)));
        consumer.take(Input::Latency(Measured::Snapshot(&snapshot)));
        Ok(())
    }

    /// Reports slow calls, and a reading if one is due.
    pub(super) fn go_on(&mut self, consumer: &mut impl Consumer) -> Result<(), TalliesError> {
        self.drain(consumer);
        let (Some(every), Some(due)) = (self.every, &mut self.due) else {
            return Ok(());
        };
        let now = Instant::now();
        if now < *due {
            return Ok(());
        }
        // Missed readings are skipped, and the rhythm is kept.
        while *due <= now {
            *due += every;
        }
        let snapshot = self.snapshot(clock::monotonic_ns())?;
        consumer.take(Input::Latency(Measured::Snapshot(&snapshot)));
        Ok(())
    }

    /// Reports the last slow calls and the last reading.
    pub(super) fn end(&mut self, consumer: &mut impl Consumer) -> Result<(), TalliesError> {
        self.drain(consumer);
        let mut snapshot = self.snapshot(clock::monotonic_ns())?;
        snapshot.losses.unproven = self.session.prove().err().map(|unproven| Unproven {
            run: unproven.run(),
            reason: unproven.to_string(),
        });
        consumer.take(Input::Latency(Measured::Snapshot(&snapshot)));
        Ok(())
    }

    fn snapshot(&self, time_ns: u64) -> Result<Snapshot, TalliesError> {
        Ok(Snapshot {
            time_ns,
            reading: self.tallies.read()?,
            losses: Losses {
                table_buckets: start::table_buckets(),
                lost: self.session.ring.lost(),
                skips: self.session.skips(),
                malformed: self.session.ring.malformed,
                unproven: None,
            },
        })
    }

    fn drain(&mut self, consumer: &mut impl Consumer) {
        if self.begins.slower_than_ns.is_none() {
            return;
        }
        let Self {
            session,
            symbols,
            named,
            ..
        } = self;
        // No more than the capacity of the ring: in a flood it is never empty.
        let most = session.ring.capacity();
        session.ring.drain(most, |record| {
            let Record::Slow(slow) = record else { return };
            // Without permission to read them, numbers are printed.
            let symbols = symbols.get_or_insert_with(|| Symbols::read().unwrap_or_default());
            name(slow.addresses(), symbols, named, consumer);
            consumer.take(Input::Record(record));
        });
    }
}
