//! What would have become of flows with other timeouts: a simulation beside the real traffic.
//!
//! Each entry has, beside the time when it really expires, the time when it would have. Both are moved by the same
//! packets. A packet that comes after an entry would have gone makes a new one, as it would have in the kernel; an entry
//! that has really gone lives on here for as long as it would have.

mod entry;
mod simulation;
#[cfg(test)]
mod tests;
mod watching;

pub use entry::{Fate, Incident};
pub use simulation::{Packet, Seed, Simulation, Totals};
pub use watching::Watching;

use crate::timeouts::{Protocol, Spans};

/// The values that are tried.
#[derive(Clone, Debug)]
pub struct Trial {
    /// The protocol.
    pub protocol: &'static Protocol,
    /// Attributes of states, and what their timeouts would be, in milliseconds.
    pub values: Vec<(u16, u64)>,
}

impl Trial {
    /// A namespace's timeouts with the trial's in place of its own.
    pub fn over(&self, spans: &Spans) -> Spans {
        let tried = |attribute| self.values.iter().find(|(kind, _)| *kind == attribute);
        let kept = spans.iter().filter(|(attribute, _)| tried(*attribute).is_none());
        Spans::new(kept.chain(self.values.iter().copied()))
    }
}
