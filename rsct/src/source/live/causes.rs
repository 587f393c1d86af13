//! The programs that report causes: attached after tracing has started, on a thread, so that records are still read.

use std::{
    sync::mpsc::{Receiver, TryRecvError, channel},
    thread,
    time::{Duration, Instant},
};

use crate::{
    causes::{
        KeyCount,
        programs::{Programs, ProgramsError},
    },
    kernel::interrupt,
    observe::{Consumer, Input, Notice},
    probe::{scope::Scope, session::Form},
};

use super::{cause_reader::CauseReader, counting::Reading};

/// The interval of reading the counts, at least.
const COUNT_EVERY: Duration = Duration::from_secs(1);
/// The interval as a multiple of the duration of a reading, at least.
const COUNT_SHARE: u32 = 20;

/// The programs that report causes, and their state.
#[derive(Default)]
pub(super) struct Causes {
    /// The parameters of attaching, until it starts.
    wanted: Option<(Form, Scope)>,
    coming: Option<Receiver<Result<CauseReader, ProgramsError>>>,
    attached: Option<CauseReader>,
    /// The time of the next reading of the counts; none before the first.
    next_count: Option<Instant>,
}

impl Causes {
    /// Causes within `scope`.
    pub(super) fn of(form: Form, scope: Scope) -> Self {
        Self {
            wanted: Some((form, scope)),
            coming: None,
            attached: None,
            next_count: None,
        }
    }

    /// Starts to attach, or reports the result once that has ended.
    pub(super) fn go_on(&mut self, consumer: &mut impl Consumer) {
        if let Some((form, scope)) = self.wanted.take() {
            let (send, receive) = channel();
            self.coming = Some(receive);
            // If no thread can start, the channel closes at once.
            let _ = thread::Builder::new().name("rsct-causes".into()).spawn(move || {
                let _ = send.send(begin(form, scope));
            });
            return;
        }
        let Some(coming) = &self.coming else { return };
        match coming.try_recv() {
            Err(TryRecvError::Empty) => return,
            Ok(Ok(attached)) => {
                report_missed(&attached);
                attached.report(consumer);
                self.attached = Some(attached);
            }
            Ok(Err(error)) => {
                message!("causes are not reported: {error}");
                consumer.take(Input::Notice(&Notice::NoCauses));
            }
            Err(TryRecvError::Disconnected) => consumer.take(Input::Notice(&Notice::NoCauses)),
        }
        self.coming = None;
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
        self.attached.as_ref().map_or(0, CauseReader::lost)
    }

    /// Returns whether the kernel skips programs without counting them.
    pub(super) fn are_lost_uncounted(&self) -> bool {
        self.attached
            .as_ref()
            .is_some_and(|attached| attached.programs.skips().uncounted)
    }

    /// Returns whether the counts are due.
    pub(super) fn are_counts_due(&self) -> bool {
        self.attached.is_some() && self.next_count.is_none_or(|next| Instant::now() >= next)
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
            (Ok(_), None) => {}
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
