//! Losses: reported while the stream runs, and followed by a dump.

use std::time::Duration;

use tokio::time::Instant;

use crate::{observe::Notice, probe::session::Session, records::Lost};

/// The interval of reading the loss counters, which costs a system call for each program.
const LOSS_TICK: Duration = Duration::from_millis(200);
/// The interval while no record arrives.
const QUIET_TICK: Duration = Duration::from_secs(1);

/// The loss counters at the last look.
pub(super) struct Losses {
    lost: Lost,
    skipped: u64,
    looked: Instant,
    /// The records read at the last look.
    taken: u64,
    /// The loss at the last dump.
    reconciled: u64,
}

impl Losses {
    pub(super) fn new(session: &Session) -> Self {
        let (lost, skipped) = (session.ring.lost(), session.skips().counted);
        Self {
            reconciled: lost.total() + skipped,
            lost,
            skipped,
            looked: Instant::now(),
            taken: session.ring.taken,
        }
    }

    /// Returns whether the counters are to be read. `taken`: the number of records so far.
    pub(super) fn are_due(&mut self, taken: u64) -> bool {
        let now = Instant::now();
        let tick = match taken == self.taken {
            true => QUIET_TICK,
            false => LOSS_TICK,
        };
        let due = now >= self.looked + tick;
        if due {
            self.looked = now;
            self.taken = taken;
        }
        due
    }

    /// The loss since the last look, if there is any.
    pub(super) fn look(&mut self, session: &Session) -> Option<Notice> {
        let lost = session.ring.lost();
        let skipped = session.skips().counted;
        if lost == self.lost && skipped == self.skipped {
            return None;
        }
        let before = self.total();
        self.lost = lost;
        self.skipped = skipped;
        Some(Notice::Loss {
            lost: self.total() - before,
            total: self.total(),
            losses: self.lost.clone(),
            skipped,
        })
    }

    /// Returns whether records were lost since the last dump.
    pub(super) fn are_new(&self) -> bool {
        self.total() != self.reconciled
    }

    /// A dump has closed the gaps.
    pub(super) fn dumped(&mut self) {
        self.reconciled = self.total();
    }

    fn total(&self) -> u64 {
        self.lost.total() + self.skipped
    }
}
