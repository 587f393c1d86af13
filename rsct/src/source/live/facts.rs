//! Facts that the model lacks, found out by a thread: reading a namespace takes longer than the ring should wait.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use crate::{
    kernel::netns::Selector,
    observe::{Consumer, Fact, Input, Want},
    probe::ring::Ring,
    provenance::find_out,
};

/// Records wait so long for a fact in any case.
const LEAST: Duration = Duration::from_millis(250);
/// They wait so long while half of the ring is free: a busy machine must not change the report.
const LONGEST: Duration = Duration::from_secs(5);
/// How often the room is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// The fact that is being found out, if any.
pub(super) struct Facts {
    /// The namespaces in scope.
    likely: Selector,
    coming: Option<Coming>,
}

struct Coming {
    fact: Receiver<Fact>,
    since: Instant,
    /// Records no longer wait for it.
    is_late: bool,
}

impl Facts {
    /// Facts about the namespaces that `likely` selects, and some of others.
    pub(super) fn of(likely: Selector) -> Self {
        Self { likely, coming: None }
    }

    /// Begins to find out a fact.
    pub(super) fn begin(&mut self, want: Want) {
        let (send, fact) = channel();
        let likely = self.likely.clone();
        // If no thread can start, the channel closes at once.
        let _ = thread::Builder::new().name("rsct-facts".into()).spawn(move || {
            let _ = send.send(find_out(want, &likely));
        });
        self.coming = Some(Coming {
            fact,
            since: Instant::now(),
            is_late: false,
        });
    }

    /// Returns whether a thread finds out a fact.
    pub(super) fn are_coming(&self) -> bool {
        self.coming.is_some()
    }

    /// Passes on the fact if it has come. Returns whether records have to wait for it.
    pub(super) fn are_awaited(&mut self, ring: &Ring, consumer: &mut impl Consumer) -> bool {
        self.wait(ring, consumer, Duration::ZERO);
        self.coming.as_ref().is_some_and(|coming| !coming.is_late)
    }

    /// Waits for the fact, as long as records would.
    pub(super) fn finish(&mut self, ring: &Ring, consumer: &mut impl Consumer) {
        while self.coming.as_ref().is_some_and(|coming| !coming.is_late) {
            self.wait(ring, consumer, LOOK);
        }
    }

    fn wait(&mut self, ring: &Ring, consumer: &mut impl Consumer, longest: Duration) {
        let Some(coming) = &mut self.coming else { return };
        match coming.fact.recv_timeout(longest) {
            Ok(fact) => {
                self.coming = None;
                consumer.take(Input::Fact(&fact));
            }
            Err(RecvTimeoutError::Timeout) => {
                let longest = if ring.has_room() { LONGEST } else { LEAST };
                coming.is_late |= coming.since.elapsed() >= longest;
            }
            Err(RecvTimeoutError::Disconnected) => self.coming = None,
        }
    }
}
