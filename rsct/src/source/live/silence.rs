//! The check that the kernel still runs the eBPF programs while no record arrives: silence is no proof of a quiet network.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    kernel::clock,
    observe::{Doubt, Notice},
    probe::{proof::Unproven, session::Session},
};

use super::authority::Authority;

/// The interval of the check while no record arrives.
const EVERY: Duration = Duration::from_secs(1);

/// The state of the check.
pub(super) struct Silence {
    next: Instant,
    /// The records read at the last check.
    taken: u64,
    unproven: Option<Unproven>,
    /// The entries of the table at the last check, if no record had arrived then.
    entries: Option<u32>,
    /// The first reason for doubt, and its time.
    first: Option<Doubt>,
}

impl Silence {
    /// Checks that the programs run. An error proves that they do not. Returns the notice of a doubt, if there is one.
    pub(super) fn begin(session: &Session) -> Result<(Self, Option<Notice>), Unproven> {
        let mut silence = Self {
            next: Instant::now() + EVERY,
            taken: session.ring.taken,
            unproven: None,
            entries: None,
            first: None,
        };
        match session.prove() {
            // A record is a better proof than a test run.
            Err(why @ Unproven::NotRun { .. }) if session.ring.taken == 0 => Err(why),
            result => {
                let notice = silence.note(result.err());
                Ok((silence, notice))
            }
        }
    }

    /// Returns whether the next check is due.
    pub(super) fn is_due(&self) -> bool {
        Instant::now() >= self.next
    }

    /// Repeats the check if no record has arrived since the last one. Returns whether none has, and the notice of a change.
    pub(super) fn look(&mut self, session: &Session) -> (bool, Option<Notice>) {
        self.next = Instant::now() + EVERY;
        if std::mem::replace(&mut self.taken, session.ring.taken) != session.ring.taken {
            return (false, None);
        }
        (true, self.note(session.prove().err()))
    }

    /// Returns whether the number of entries changed since the last check, without a record. Only for a trace of one
    /// namespace without a filter.
    pub(super) async fn has_changed(&mut self, authority: &Authority, is_quiet: bool) -> bool {
        let before = self.entries.take();
        if !is_quiet {
            return false;
        }
        self.entries = authority.count().await;
        before.is_some() && self.entries.is_some() && before != self.entries
    }

    /// The first reason for doubt.
    pub(super) fn doubt(self) -> Option<Doubt> {
        self.first
    }

    /// The notice of a change.
    fn note(&mut self, unproven: Option<Unproven>) -> Option<Notice> {
        if unproven == self.unproven {
            return None;
        }
        self.unproven.clone_from(&unproven);
        let time_ns = clock::monotonic_ns();
        let run = unproven.as_ref().map_or(Some(true), Unproven::run);
        let reason = unproven.as_ref().map(ToString::to_string);
        if let (None, Some(reason)) = (&self.first, &reason) {
            self.first = Some(Doubt {
                time_ns,
                run,
                reason: reason.clone(),
            });
        }
        Some(Notice::Programs { time_ns, run, reason })
    }
}
