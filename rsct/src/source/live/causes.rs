//! The programs that report causes: attached after tracing has started, on a thread, so that records are still read; detached
//! while the consumer needs no causes.

use std::{
    sync::mpsc::{Receiver, TryRecvError, channel},
    thread,
    time::{Duration, Instant},
};

use crate::{
    causes::{
        KeyCount, ProgramsState,
        programs::{Programs, ProgramsError},
    },
    kernel::interrupt,
    observe::{Consumer, Input, Notice},
    probe::{scope::Scope, session::Form},
};

use super::{
    cause_reader::CauseReader,
    counting::{Counting, Reading},
};

/// The interval of reading the counts, at least.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// The interval as a multiple of the duration of a reading, at least.
const COUNT_SHARE: u32 = 20;

/// Attaching costs more than running for this time: programs that are not needed stay for it.
const IDLE: Duration = Duration::from_secs(10);

/// The programs that report causes, and their state.
#[derive(Default)]
pub(super) struct Causes {
    /// The parameters of attaching; none if causes are not wanted, or cannot be reported.
    wanted: Option<(Form, Scope)>,
    /// They are attached once, whether or not the consumer needs causes.
    stays: bool,
    coming: Option<Receiver<Result<CauseReader, ProgramsError>>>,
    attached: Option<CauseReader>,
    /// The time since when the consumer needs no causes.
    idle_since: Option<Instant>,
    /// The losses of programs that were detached.
    lost_before: u64,
    /// The readings of the kernel's counters while no programs are attached.
    counting: Counting,
    /// The time of the next reading of the counts; none before the first.
    next_count: Option<Instant>,
}

impl Causes {
    /// Causes within `scope`.
    pub(super) fn of(form: Form, scope: Scope) -> Self {
        let mut causes = Self::default();
        causes.wanted = Some((form, scope));
        causes
    }

    /// Attaches the programs at once, and never detaches them: that needs privileges, which will be dropped.
    pub(super) fn keep_attached(&mut self, stays: bool) {
        self.stays = stays;
    }

    /// Returns whether the programs are attached, or will never be.
    pub(super) fn are_settled(&self) -> bool {
        self.wanted.is_none() || self.attached.is_some() || !self.stays
    }

    /// Starts to attach or detaches as the consumer needs, or reports the result once attaching has ended.
    pub(super) fn go_on(&mut self, consumer: &mut impl Consumer) {
        if self.coming.is_some() {
            self.arrive(consumer);
            return;
        }
        match (self.stays || consumer.wants_causes(), &self.attached) {
            (true, Some(_)) => self.idle_since = None,
            (true, None) => self.begin(),
            (false, Some(_)) => {
                if self.idle_since.get_or_insert_with(Instant::now).elapsed() >= IDLE {
                    self.detach(consumer);
                }
            }
            (false, None) => {}
        }
    }

    fn begin(&mut self) {
        let Some((form, scope)) = self.wanted.clone() else {
            return;
        };
        let (send, receive) = channel();
        self.coming = Some(receive);
        // If no thread can start, the channel closes at once.
        let _ = thread::Builder::new().name("rsct-causes".into()).spawn(move || {
            let _ = send.send(begin(form, scope));
        });
    }

    fn arrive(&mut self, consumer: &mut impl Consumer) {
        let Some(coming) = &self.coming else { return };
        let arrived = match coming.try_recv() {
            Err(TryRecvError::Empty) => return,
            Ok(arrived) => arrived.map_err(Some),
            Err(TryRecvError::Disconnected) => Err(None),
        };
        self.coming = None;
        match arrived {
            Ok(mut attached) => {
                report_missed(&attached);
                attached.add_lost(self.lost_before);
                attached.report(consumer);
                self.attached = Some(attached);
                self.idle_since = None;
                self.next_count = None;
            }
            Err(error) => {
                if let Some(error) = error {
                    message!("causes are not reported: {error}");
                }
                self.wanted = None;
                consumer.take(Input::Notice(&Notice::NoCauses));
            }
        }
    }

    fn detach(&mut self, consumer: &mut impl Consumer) {
        let Some(mut attached) = self.attached.take() else {
            return;
        };
        attached.drain(consumer);
        self.lost_before = attached.lost();
        attached.programs.detach();
        self.counting = Counting::default();
        self.idle_since = None;
        consumer.take(Input::Notice(&Notice::NoCauses));
    }

    /// Passes on the causes up to now.
    pub(super) fn drain(&mut self, consumer: &mut impl Consumer) {
        if let Some(attached) = &mut self.attached {
            attached.drain(consumer);
        }
    }

    /// The same, before a record that may have a cause.
    pub(super) fn drain_before_record(&mut self, consumer: &mut impl Consumer) {
        if let Some(attached) = &mut self.attached {
            attached.drain_before_record(consumer);
        }
    }

    /// Number of causes that were lost, or missed because the kernel skipped programs.
    pub(super) fn lost(&self) -> u64 {
        self.attached.as_ref().map_or(self.lost_before, CauseReader::lost)
    }

    /// Returns whether the kernel skips programs without counting them.
    pub(super) fn are_lost_uncounted(&self) -> bool {
        self.attached
            .as_ref()
            .is_some_and(|attached| attached.programs.skips().uncounted)
    }

    /// Returns whether the counts are due. `counters`: the kernel's are needed without those of causes, too.
    pub(super) fn are_counts_due(&self, counters: bool) -> bool {
        (self.attached.is_some() || counters) && self.next_count.is_none_or(|next| Instant::now() >= next)
    }

    /// Returns whether the programs are attached.
    pub(super) fn are_attached(&self) -> bool {
        self.attached.is_some()
    }

    /// Reads the counts.
    pub(super) fn counts(&self) -> Result<Vec<KeyCount>, ProgramsError> {
        self.attached.as_ref().map_or(Ok(Vec::new()), CauseReader::counts)
    }

    /// Passes on a reading that began at `begun`.
    pub(super) fn report_counts(
        &mut self,
        reading: Result<Reading, ProgramsError>,
        begun: Instant,
        consumer: &mut impl Consumer,
    ) {
        let now = Instant::now();
        self.next_count = Some(now + COUNT_EVERY.max(now.duration_since(begun) * COUNT_SHARE));
        match (reading, &mut self.attached) {
            (Ok(reading), Some(attached)) => attached.report_counts(reading, consumer),
            (Err(error), _) => message!("{error}"),
            (Ok(reading), None) => {
                let counted = self.counting.changes(reading, ProgramsState::default());
                consumer.take(Input::Counted(&counted));
            }
        }
    }
}

impl Drop for Causes {
    /// Stops the thread that attaches: closing a link that it opened later would delay the exit.
    fn drop(&mut self) {
        if let Some(coming) = self.coming.take() {
            interrupt::end();
            let _ = coming.recv();
        }
    }
}

fn begin(form: Form, scope: Scope) -> Result<CauseReader, ProgramsError> {
    CauseReader::of(Programs::for_trace(form, scope)?)
}

fn report_missed(attached: &CauseReader) {
    let missed = attached
        .programs
        .hooks()
        .iter()
        .filter(|report| report.is_missed());
    for report in missed {
        message!(
            "{} not attached ({}); not reported: {}",
            report.hook.function,
            report.why_not_better.join("; "),
            report.hook.shows
        );
    }
}
