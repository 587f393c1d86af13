//! The loop: reads records on a timer; dumps at the start, after a loss and at the end; ends at a signal or after the
//! duration.

use std::{cell::RefCell, io::Write, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::{
    flow::reconcile::{Coverage, Difference, DifferenceKind},
    kernel::{clock, interrupt::Signals},
    plural,
    probe::{
        hooks::Stage,
        proof::Unproven,
        ring::{Lost, Ring},
        session::{HookCounts, Session},
    },
    render::bytes::json_line,
    schema::{
        common::losses,
        tag,
        trace::{Started, TraceLoss},
    },
};

use super::{
    authority::{Authority, AuthorityError},
    join::Join,
    lines::HOLD_NS,
    silence::{Doubt, Silence},
    summary::Summary,
    unfired::{self, Unfired},
};

/// The interval of reading the ring. Records do not wake the reader: that would cost each packet more than its record.
const TICK: Duration = Duration::from_millis(20);
/// The interval of reading the loss counters.
const LOSS_TICK: Duration = Duration::from_millis(200);
/// Records read before signals and timers are checked.
const BATCH: usize = 8192;
/// Limit of the last dump of a trace with a shorter duration.
const LAST_DUMP: Duration = Duration::from_secs(2);

/// The limits of a trace.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// The duration, if not until a signal.
    pub duration: Option<Duration>,
}

/// Runs until the duration ends, a signal arrives, or the output is complete. `attach` attaches a later stage; before
/// each hook it calls the closure, which writes packets and returns whether to continue.
pub(crate) async fn run<W: Write>(
    session: &mut Session,
    authority: &Authority,
    join: &RefCell<Join<W>>,
    limits: &Limits,
    signals: &mut Signals,
    mut attach: impl FnMut(&mut Session, Stage, &mut dyn FnMut(&mut Ring) -> bool),
) -> Result<Summary, Unproven> {
    let start = Instant::now();
    let mut watch = Watch::new(session.ring.lost(), session.skips().counted);
    let mut dump_errors = Vec::new();
    let mut unfired = Vec::new();

    let mut until = Until {
        signals,
        end: limits.duration.map(|duration| start + duration),
    };
    let mut show = |ring: &mut Ring| {
        drain(ring, join);
        !join.borrow().is_over()
    };
    attach(session, Stage::Second, &mut show);
    let first = dump(&mut session.ring, authority, join, true, until.reached()).await;
    // Until one dump is complete, entries of the next are no differences.
    let mut seeding = is_cut_short(&first);
    note(first, &mut dump_errors);
    attach(session, Stage::Last, &mut show);
    let mut silence = Silence::begin(session, &mut join.borrow_mut().output)?;
    started(session, join);
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = until.reached() => break,
            _ = tick.tick() => {}
        }
        if !drain(&mut session.ring, join) {
            tick.reset_immediately();
        }
        if join.borrow().is_over() {
            break;
        }
        join.borrow_mut().attach_causes();
        if let Some(diagnostics) = &mut session.diagnostics {
            diagnostics.show();
        }
        let has_changed = silence.is_due() && {
            let looked = silence.look(session, &mut join.borrow_mut().output);
            let is_quiet = matches!(looked, Ok(true));
            join.borrow_mut().wrote(looked.map(drop));
            silence.has_changed(authority, is_quiet).await
        };
        let has_lost = watch.is_due() && {
            join.borrow_mut().whys.note_losses();
            watch.look(session, join)
        };
        if has_lost || has_changed {
            // The lost or missing records may have begun or ended flows.
            let dumped = dump(&mut session.ring, authority, join, seeding, until.reached()).await;
            seeding &= is_cut_short(&dumped);
            note(dumped, &mut dump_errors);
            watch.dumped();
            report_unfired(&mut unfired, session, authority, join);
        }
    }
    drain_once(&mut session.ring, join);
    join.borrow_mut().causes_alone(u64::MAX);
    watch.look(session, join);
    let looked = silence.look(session, &mut join.borrow_mut().output);
    join.borrow_mut().wrote(looked.map(drop));
    if join.borrow().write_error.is_none() {
        until.end = limits
            .duration
            .map(|duration| Instant::now() + duration.max(LAST_DUMP));
        note(
            dump(&mut session.ring, authority, join, seeding, until.reached()).await,
            &mut dump_errors,
        );
        report_unfired(&mut unfired, session, authority, join);
    }
    join.borrow_mut().flush();
    let elapsed = start.elapsed();
    Ok(summarize(
        session,
        join,
        elapsed,
        dump_errors,
        silence.doubt(),
        unfired,
    ))
}

/// Reports that tracing is complete from now on, for programs that wait to start traffic.
fn started<W: Write>(session: &Session, join: &RefCell<Join<W>>) {
    let mut join = join.borrow_mut();
    if join.output.is_json() {
        let [flows_from_dump, ..] = Summary::count_table(&join.table);
        let line = Started {
            r#type: tag::Started,
            time_ns: clock::monotonic_ns(),
            hook_counts: HookCounts::of(&session.hooks).into(),
            flows_from_dump,
        };
        let written = join.output.line(|out| json_line(out, &line));
        join.wrote(written);
    }
    join.flush();
}

fn note(found: Vec<DumpError>, errors: &mut Vec<String>) {
    for error in found.iter().map(ToString::to_string) {
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
}

/// Reads at most a batch of records, and writes the lines that wait for no earlier ones. Returns whether the ring was
/// empty.
fn drain<W: Write>(ring: &mut Ring, join: &RefCell<Join<W>>) -> bool {
    let mut join = join.borrow_mut();
    let hold_ns = match join.whys.are_working() {
        // The cause may still be in the ring of causes.
        true => 2 * TICK.as_nanos() as u64,
        false => HOLD_NS,
    };
    // The ring holds the records of all packets before this time.
    let settled_ns = clock::monotonic_ns().saturating_sub(hold_ns);
    let taken = ring.drain(BATCH, |record| join.record(record));
    join.causes_alone(settled_ns);
    join.settle(settled_ns);
    taken < BATCH
}

/// Reads the records that the ring holds now: in a flood, new ones keep arriving.
fn drain_once<W: Write>(ring: &mut Ring, join: &RefCell<Join<W>>) {
    for _ in 0..ring.capacity().div_ceil(BATCH) {
        if drain(ring, join) {
            return;
        }
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

fn is_cut_short(errors: &[DumpError]) -> bool {
    errors.iter().any(|error| matches!(error, DumpError::CutShort))
}

/// Dumps while reading records, until the trace ends.
async fn dump<W: Write>(
    ring: &mut Ring,
    authority: &Authority,
    join: &RefCell<Join<W>>,
    seeding: bool,
    reached: impl Future<Output = ()>,
) -> Vec<DumpError> {
    drain_once(ring, join);
    join.borrow_mut().table.begin_dump(clock::monotonic_ns(), seeding);
    let mut dumping =
        std::pin::pin!(authority.dump(|entry| join.borrow_mut().dumped(entry, clock::monotonic_ns())));
    let mut reached = std::pin::pin!(reached);
    let mut tick = interval(TICK);
    let covered = loop {
        tokio::select! {
            biased;
            () = &mut reached => break None,
            covered = &mut dumping => break Some(covered),
            _ = tick.tick() => if !drain(ring, join) { tick.reset_immediately() },
        }
    };
    drain_once(ring, join);
    let coverage = |netns| {
        covered
            .as_ref()
            .map_or(Coverage::Incomplete, |covered| covered.of(netns))
    };
    join.borrow_mut().table.end_dump(clock::monotonic_ns(), coverage);
    match covered {
        Some(covered) => covered.errors.into_iter().map(DumpError::from).collect(),
        None => vec![DumpError::CutShort],
    }
}

/// The loss counters at the last look.
struct Watch {
    lost: Lost,
    skipped: u64,
    next: Instant,
    /// The loss at the last dump.
    reconciled: u64,
}

impl Watch {
    fn new(lost: Lost, skipped: u64) -> Self {
        let reconciled = lost.total() + skipped;
        Self {
            lost,
            skipped,
            next: Instant::now() + LOSS_TICK,
            reconciled,
        }
    }

    fn is_due(&mut self) -> bool {
        let due = Instant::now() >= self.next;
        if due {
            self.next = Instant::now() + LOSS_TICK;
        }
        due
    }

    /// Reports the loss since the last look. Returns whether a dump should follow: records were lost, and the burst is
    /// over.
    fn look<W: Write>(&mut self, session: &Session, join: &RefCell<Join<W>>) -> bool {
        let lost = session.ring.lost();
        let skipped = session.skips().counted;
        let news = lost != self.lost || skipped != self.skipped;
        if news {
            let before = self.lost.total() + self.skipped;
            let now = lost.total() + skipped;
            self.lost = lost;
            self.skipped = skipped;
            report_loss(join, now - before, now, &self.lost);
        }
        !news && self.lost.total() + self.skipped != self.reconciled
    }

    fn dumped(&mut self) {
        self.reconciled = self.lost.total() + self.skipped;
    }
}

/// Reports a loss at once.
fn report_loss<W: Write>(join: &RefCell<Join<W>>, more: u64, total: u64, lost: &Lost) {
    let mut join = join.borrow_mut();
    let json = join.output.is_json();
    let result = if json {
        let line = TraceLoss {
            r#type: tag::Loss,
            lost: more,
            lost_total: total,
            losses: losses(lost),
        };
        join.output.line(|out| json_line(out, &line))
    } else {
        message!(
            "{} LOST or incomplete ({total} so far)",
            plural::count(more, "record", "records")
        );
        Ok(())
    };
    join.wrote(result);
}

fn summarize<W: Write>(
    session: &Session,
    join: &RefCell<Join<W>>,
    elapsed: Duration,
    dump_errors: Vec<String>,
    doubt: Option<Doubt>,
    unfired: Vec<Unfired>,
) -> Summary {
    let join = join.borrow();
    let reconciliation = join.table.reconciliation();
    let kinds = [
        DifferenceKind::OnlyInDump,
        DifferenceKind::OnlyFromProbe,
        DifferenceKind::Status,
    ];
    let count = |kind| {
        reconciliation
            .differences
            .iter()
            .filter(|difference: &&Difference| difference.kind == kind)
            .count()
    };
    Summary {
        elapsed,
        counts: join.counts,
        lost: session.ring.lost(),
        skips: session.skips(),
        malformed: session.ring.malformed,
        causes_lost: join.whys.lost(),
        causes_lost_uncounted: join.whys.are_lost_uncounted(),
        known: Summary::count_table(&join.table),
        dumps: reconciliation.dumps,
        differences: kinds
            .into_iter()
            .map(|kind| (kind.name(), count(kind)))
            .filter(|(_, count)| *count != 0)
            .collect(),
        unreached: reconciliation.unreached.clone(),
        dump_errors,
        doubt,
        unfired,
    }
}

/// Reports hooks that have not fired although a dump shows that they should have. Lost records explain differences too, and
/// so do an entry that matches a filter since a change, and a namespace that a dump reaches for the first time.
fn report_unfired<W: Write>(
    known: &mut Vec<Unfired>,
    session: &Session,
    authority: &Authority,
    join: &RefCell<Join<W>>,
) {
    let has_lost = session.ring.lost().total() + session.skips().counted != 0;
    if has_lost || !authority.is_unfiltered() || authority.only_netns().is_none() {
        return;
    }
    let mut join = join.borrow_mut();
    let Join {
        counts,
        table,
        output,
        ..
    } = &mut *join;
    let reported = unfired::report(known, counts, table.reconciliation(), output);
    join.wrote(reported);
}
