//! Closing figures.

use std::{fmt, time::Duration};

use crate::{
    observe::{self, Model},
    render::trace_summary,
};

/// The closing figures of a trace or a recording. Prints as the summary of `rsct trace`.
#[derive(Clone, Debug)]
pub struct Summary(observe::Summary);

impl Summary {
    pub(super) fn of(model: &Model) -> Self {
        Self(observe::Summary::of(model))
    }

    /// The duration.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed
    }

    /// Number of packets.
    pub fn packets(&self) -> u64 {
        self.0.counts.packets
    }

    /// Of these, packets that conntrack found INVALID.
    pub fn invalid(&self) -> u64 {
        self.0.counts.invalid
    }

    /// Of these, packets that conntrack dropped.
    pub fn dropped(&self) -> u64 {
        self.0.counts.dropped
    }

    /// Number of events of entries.
    pub fn events(&self) -> u64 {
        self.0.counts.entries
    }

    /// Number of entries that were confirmed, or created by user space.
    pub fn inserted(&self) -> u64 {
        self.0.counts.inserted
    }

    /// Number of deleted entries.
    pub fn deleted(&self) -> u64 {
        self.0.counts.deleted
    }

    /// Number of flows known at the end.
    pub fn flows(&self) -> usize {
        self.0.known.iter().sum()
    }

    /// Number of lost or incomplete records of packets and events.
    pub fn lost(&self) -> u64 {
        self.0.lost_total()
    }

    /// Number of lost causes.
    pub fn causes_lost(&self) -> u64 {
        self.0.causes_lost
    }

    /// The reason why records may be missing that no counter shows, if there is one.
    pub fn doubt(&self) -> Option<&str> {
        self.0.doubt.as_ref().map(|doubt| doubt.reason.as_str())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&trace_summary::text(&self.0))
    }
}
