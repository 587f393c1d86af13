//! The loop: reads records on a timer; dumps at the start, after a loss and at the end; ends at a signal or after the
//! duration.

use std::{cell::RefCell, ops::ControlFlow, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::{
    confine::ConfineError,
    kernel::{clock, helper, interrupt::Signals},
    observe::{Consumer, Ended, Input, Notice, may_have_cause},
    probe::{hooks::Stage, proof::Unproven, ring::Ring, session::Session},
    records::HookCounts,
};

use super::{
    Live,
    authority::{Authority, AuthorityError},
    causes::Causes,
    counting::Reading,
    facts::Facts,
    latency::NextToTrace,
    losses::Losses,
    silence::Silence,
};

/// The interval of reading the ring. Records do not wake the reader: that would cost each packet more than its record.
const TICK: Duration = Duration::from_millis(20);
/// The interval while records wait for a fact.
const SHORT_TICK: Duration = Duration::from_millis(1);
/// Records read before signals and timers are checked.
const BATCH: usize = 8192;
/// Entries that are looked up before signals and timers are checked.
const LOOK_UPS: usize = 32;
/// Limit of the last dump of a trace with a shorter duration.
const LAST_DUMP: Duration = Duration::from_secs(2);

/// The limits of a trace.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Limits {
    /// The duration, if not until a signal.
    pub duration: Option<Duration>,
}

/// A trace failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    /// The kernel does not run the programs.
    #[error(transparent)]
    Unproven(#[from] Unproven),
    /// The privileges could not be dropped.
    #[error(transparent)]
    Confine(#[from] ConfineError),
}

/// State of the ring after a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Drained {
    /// It was empty.
    Empty,
    /// It may hold more.
    More,
    /// Its records wait for a fact.
    Waits,
}

impl Drained {
    /// When to read again.
    fn after(self) -> Duration {
        match self {
            Self::Empty => TICK,
            Self::More => Duration::ZERO,
            Self::Waits => SHORT_TICK,
        }
    }
}

impl Live {
    /// Runs until the duration ends, a signal arrives, or the consumer needs no more. The last input is
    /// [`Input::Ended`].
    pub(crate) async fn run<C: Consumer>(
        &mut self,
        consumer: &mut C,
        limits: Limits,
    ) -> Result<(), RunError> {
        let start = Instant::now();
        let Self {
            session,
            authority,
            causes,
            facts,
            latency,
            signals,
            hooks,
            confinement,
            ..
        } = self;
        // Reports the end of the command to the service manager when it is dropped.
        let mut started = None;
        let mut losses = Losses::new(session);
        let mut dumps = Dumps::default();
        let mut until = Until {
            signals,
            end: limits.duration.map(|duration| start + duration),
        };
        latency.begin(consumer);
        let reader = RefCell::new(Reader {
            consumer,
            causes,
            facts,
            latency,
        });
        let mut show = |ring: &mut Ring| {
            reader.borrow_mut().drain(ring);
            !reader.borrow().consumer.is_over()
        };
        let hooks = hooks.take();
        if let Some(hooks) = &hooks {
            hooks.attach(session, Stage::Second, &mut show);
        }
        dumps.dump(session, authority, &reader, until.reached()).await;
        if let Some(hooks) = hooks {
            hooks.attach(session, Stage::Last, &mut show);
        }
        let (mut silence, doubt) = Silence::begin(session)?;
        let notice = |notice: Option<Notice>| {
            if let Some(notice) = notice {
                reader.borrow_mut().consumer.take(Input::Notice(&notice));
            }
        };
        notice(doubt);
        // For programs that wait to start traffic.
        notice(Some(Notice::Started {
            time_ns: clock::monotonic_ns(),
            hooks: HookCounts::of(&session.hooks),
            flows_from_dump: 0,
        }));
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = until.reached() => break,
                _ = tick.tick() => {}
            }
            let drained = reader.borrow_mut().drain(&mut session.ring);
            if drained != Drained::Empty {
                tick.reset_after(drained.after());
            }
            if reader.borrow().consumer.is_over() {
                break;
            }
            reader.borrow_mut().go_on();
            let is_settled = reader.borrow().is_settled();
            if is_settled && let Some(confinement) = confinement.take() {
                started = confinement.apply()?;
            }
            if reader.borrow().needs_counts() {
                count(session, authority, &reader).await;
            }
            look_up(authority, &reader).await;
            if let Some(diagnostics) = &mut session.diagnostics {
                diagnostics.show();
            }
            let has_changed = silence.is_due() && {
                helper::report_end();
                let (is_quiet, change) = silence.look(session);
                notice(change);
                silence.has_changed(authority, is_quiet).await
            };
            let has_lost = losses.are_due(session.ring.taken) && {
                let loss = losses.look(session);
                // A dump follows once the burst is over.
                let is_over = loss.is_none();
                notice(loss);
                is_over && losses.are_new()
            };
            if has_lost || has_changed || reader.borrow().consumer.wants_dump() {
                // The lost or missing records may have begun or ended flows.
                dumps.dump(session, authority, &reader, until.reached()).await;
                losses.dumped();
            }
        }
        reader.borrow_mut().drain_once(&mut session.ring);
        notice(losses.look(session));
        notice(silence.look(session).1);
        if reader.borrow().needs_last_counts() {
            count(session, authority, &reader).await;
        }
        if !reader.borrow().consumer.has_failed() {
            until.end = limits
                .duration
                .map(|duration| Instant::now() + duration.max(LAST_DUMP));
            dumps.dump(session, authority, &reader, until.reached()).await;
        }
        let Reader {
            consumer,
            causes,
            latency,
            ..
        } = reader.into_inner();
        drop(started);
        causes.drain(consumer);
        latency.end(consumer);
        consumer.take(Input::Ended(&Ended {
            elapsed: start.elapsed(),
            lost: session.ring.lost(),
            skips: session.skips(),
            malformed: session.ring.malformed,
            causes_lost: causes.lost(),
            causes_lost_uncounted: causes.are_lost_uncounted(),
            dump_errors: dumps.errors,
            doubt: silence.doubt(),
        }));
        Ok(())
    }
}

/// Passes on records, and what they need.
struct Reader<'a, C> {
    consumer: &'a mut C,
    causes: &'a mut Causes,
    facts: &'a mut Facts,
    latency: &'a mut NextToTrace,
}

impl<C: Consumer> Reader<'_, C> {
    /// Reads at most a batch of records.
    fn drain(&mut self, ring: &mut Ring) -> Drained {
        let Self {
            consumer,
            causes,
            facts,
            ..
        } = self;
        if facts.are_awaited(ring, *consumer) {
            return Drained::Waits;
        }
        // The ring holds the records of all packets before this time.
        let now_ns = clock::monotonic_ns();
        let mut wanted = None;
        let taken = ring.drain_while(BATCH, |record| {
            if may_have_cause(&record) {
                causes.drain_before_record(*consumer);
            }
            consumer.take(Input::Record(record));
            wanted = consumer.lacks();
            match wanted {
                None => ControlFlow::Continue(()),
                Some(_) => ControlFlow::Break(()),
            }
        });
        if let Some(want) = wanted {
            facts.begin(want);
            return Drained::Waits;
        }
        causes.drain(*consumer);
        consumer.take(Input::Settled { now_ns });
        match taken == BATCH {
            true => Drained::More,
            false => Drained::Empty,
        }
    }

    /// Reads the records that the ring holds now: in a flood, new ones keep arriving.
    fn drain_once(&mut self, ring: &mut Ring) {
        let mut batches = ring.capacity().div_ceil(BATCH);
        while batches > 0 {
            match self.drain(ring) {
                Drained::Empty => return,
                Drained::More => batches -= 1,
                Drained::Waits => self.facts.finish(ring, self.consumer),
            }
        }
    }

    /// Returns whether the counts of causes are due.
    fn needs_counts(&self) -> bool {
        let counters = !self.consumer.wants_causes();
        self.consumer.wants_counts() && self.causes.are_counts_due(counters)
    }

    /// Returns whether the counts of causes are due at the end.
    fn needs_last_counts(&self) -> bool {
        self.causes.are_attached() && self.consumer.wants_counts()
    }

    /// Returns whether everything is attached, and nothing is being found out that needs privileges.
    fn is_settled(&self) -> bool {
        self.causes.are_settled() && !self.facts.are_coming()
    }

    /// Continues to attach the programs that report causes, and reads what the programs measured.
    fn go_on(&mut self) {
        self.causes.go_on(self.consumer);
        self.latency.go_on(self.consumer);
    }
}

/// Reads the counts of causes while reading records.
async fn count<C: Consumer>(session: &mut Session, authority: &Authority, reader: &RefCell<Reader<'_, C>>) {
    let begun = std::time::Instant::now();
    let ring = RefCell::new(&mut session.ring);
    let reading = {
        let mut taking = std::pin::pin!(Reading::take(authority.selector(), || {
            let mut reader = reader.borrow_mut();
            reader.drain_once(&mut ring.borrow_mut());
            reader.causes.counts()
        }));
        let mut tick = interval(TICK);
        loop {
            tokio::select! {
                biased;
                reading = &mut taking => break reading,
                _ = tick.tick() => {
                    let drained = reader.borrow_mut().drain(&mut ring.borrow_mut());
                    if drained != Drained::Empty {
                        tick.reset_after(drained.after());
                    }
                }
            }
        }
    };
    let mut reader = reader.borrow_mut();
    let Reader { consumer, causes, .. } = &mut *reader;
    causes.report_counts(reading, begun, *consumer);
}

/// Reports the entries that the consumer needs.
async fn look_up<C: Consumer>(authority: &Authority, reader: &RefCell<Reader<'_, C>>) {
    for _ in 0..LOOK_UPS {
        let lacked = reader.borrow_mut().consumer.lacks_entry();
        let Some(key) = lacked else { return };
        let Some(entry) = authority.entry(&key).await else {
            continue;
        };
        reader.borrow_mut().consumer.take(Input::Dumped {
            entry: &entry,
            now_ns: clock::monotonic_ns(),
        });
    }
}

/// The end of the trace.
struct Until<'a> {
    signals: &'a mut Signals,
    end: Option<Instant>,
}

impl Until<'_> {
    /// Returns when a signal has arrived or the time is over.
    async fn reached(&mut self) {
        let end = self.end;
        tokio::select! {
            biased;
            () = self.signals.any() => self.end = Some(Instant::now()),
            () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => {}
        }
    }
}

/// Failure of a dump.
#[derive(Debug, thiserror::Error)]
enum DumpError {
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    #[error("the trace ended before a dump was complete: flows may be missing, and differences are unknown")]
    CutShort,
}

/// The dumps so far.
#[derive(Default)]
struct Dumps {
    errors: Vec<String>,
}

impl Dumps {
    /// Dumps while reading records, until the trace ends.
    async fn dump<C: Consumer>(
        &mut self,
        session: &mut Session,
        authority: &Authority,
        reader: &RefCell<Reader<'_, C>>,
        reached: impl Future<Output = ()>,
    ) {
        let ring = &mut session.ring;
        reader.borrow_mut().drain_once(ring);
        reader.borrow_mut().consumer.take(Input::DumpBegins {
            now_ns: clock::monotonic_ns(),
        });
        let mut dumping = std::pin::pin!(authority.dump(|entry| {
            let now_ns = clock::monotonic_ns();
            reader.borrow_mut().consumer.take(Input::Dumped { entry, now_ns });
        }));
        let mut reached = std::pin::pin!(reached);
        let mut tick = interval(TICK);
        let dumped = loop {
            tokio::select! {
                biased;
                () = &mut reached => break None,
                dumped = &mut dumping => break Some(dumped),
                _ = tick.tick() => {
                    let drained = reader.borrow_mut().drain(ring);
                    if drained != Drained::Empty {
                        tick.reset_after(drained.after());
                    }
                }
            }
        };
        reader.borrow_mut().drain_once(ring);
        let (covered, errors) = match dumped {
            Some((covered, errors)) => (Some(covered), errors.into_iter().map(DumpError::from).collect()),
            None => (None, vec![DumpError::CutShort]),
        };
        let lost = session.ring.lost().total() + session.skips().counted;
        reader.borrow_mut().consumer.take(Input::DumpEnds {
            now_ns: clock::monotonic_ns(),
            covered: covered.as_ref(),
            lost,
        });
        for error in errors.iter().map(ToString::to_string) {
            if !self.errors.contains(&error) {
                self.errors.push(error);
            }
        }
    }
}
