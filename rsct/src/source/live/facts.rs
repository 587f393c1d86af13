//! Facts that the model lacks, found out by a thread: reading a namespace takes longer than the ring should wait.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread,
    time::{Duration, Instant},
};

use crate::{
    kernel::netns::Selector,
    observe::{Consumer, Fact, Input, Want},
    provenance::find_out,
};

/// The longest time that records wait for a fact. The ring holds those of longer.
const LONGEST: Duration = Duration::from_millis(250);

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

    /// Passes on the fact if it has come. Returns whether records have to wait for it.
    pub(super) fn are_awaited(&mut self, consumer: &mut impl Consumer) -> bool {
        self.wait(consumer, Duration::ZERO);
        self.coming.as_ref().is_some_and(|coming| !coming.is_late)
    }

    /// Waits for the fact, as long as records would.
    pub(super) fn finish(&mut self, consumer: &mut impl Consumer) {
        if let Some(coming) = &self.coming {
            self.wait(consumer, LONGEST.saturating_sub(coming.since.elapsed()));
        }
    }

    fn wait(&mut self, consumer: &mut impl Consumer, longest: Duration) {
        let Some(coming) = &mut self.coming else { return };
        match coming.fact.recv_timeout(longest) {
            Ok(fact) => {
                self.coming = None;
                consumer.take(Input::Fact(&fact));
            }
            Err(RecvTimeoutError::Timeout) => coming.is_late |= coming.since.elapsed() >= LONGEST,
            Err(RecvTimeoutError::Disconnected) => self.coming = None,
        }
    }
}
