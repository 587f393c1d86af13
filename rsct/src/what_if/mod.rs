//! Simulation of other timeouts, along with the real traffic.
//!
//! The simulation tracks a hypothetical expiry per entry, updated by the same packets as the real one. A packet after the
//! hypothetical expiry creates a new entry, as it would in the kernel; an entry that really expired stays in the simulation
//! until its hypothetical expiry.

mod entry;
mod observer;
mod simulation;
#[cfg(test)]
mod tests;

pub(crate) use entry::{Incident, IncidentKind};
pub(crate) use observer::TrialObserver;
pub(crate) use simulation::{PacketUpdate, Simulation, Totals};

use crate::timeouts::{Protocol, Spans};

/// The timeouts to simulate.
#[derive(Clone, Debug)]
pub(crate) struct TimeoutTrial {
    /// The protocol.
    pub protocol: &'static Protocol,
    /// Attributes of states, with the simulated timeouts in milliseconds.
    pub values: Vec<(u16, u64)>,
}

impl TimeoutTrial {
    /// A namespace's timeouts, replaced by the simulated ones where there are any.
    pub(crate) fn over(&self, spans: &Spans) -> Spans {
        let tried = |attribute| self.values.iter().find(|(kind, _)| *kind == attribute);
        let kept = spans.iter().filter(|(attribute, _)| tried(*attribute).is_none());
        Spans::new(kept.chain(self.values.iter().copied()))
    }
}
