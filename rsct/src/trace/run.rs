//! The loop: records on a timer, dumps at the start, after a loss and at the end, signals, and the end
//! of the time.

use std::{cell::RefCell, io::Write, time::Duration};

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::{
    flow::reconcile::{Difference, DifferenceKind},
    kernel::{clock, interrupt::Signals},
    probe::{
        hooks::Stage,
        ring::{Lost, Ring},
        session::{How, Session},
    },
};

use super::{
    authority::{Authority, AuthorityError},
    join::Join,
    summary::{self, Summary},
};

/// How often the ring is looked at. Nothing wakes the reader: that would cost each packet more than
/// its record does.
const TICK: Duration = Duration::from_millis(20);
/// How often the loss counters are looked at.
const LOSS_TICK: Duration = Duration::from_millis(200);
/// Records taken before signals and timers get their turn.
const BATCH: usize = 8192;

/// What a trace is run with.
#[derive(Clone, Debug)]
pub struct Limits {
    /// How long, if not until a signal.
    pub duration: Option<Duration>,
}

/// Runs until the duration ends, a signal arrives, or the output wants no more. `attach` attaches a later stage; before
/// each hook it calls the closure, which shows packets and returns whether to go on.
pub async fn run<W: Write>(
    session: &mut Session,
    authority: &Authority,
    join: &RefCell<Join<W>>,
    limits: &Limits,
    signals: &mut Signals,
    mut attach: impl FnMut(&mut Session, Stage, &mut dyn FnMut(&mut Ring) -> bool),
) -> Summary {
    let start = Instant::now();
    let mut watch = Watch::new(session.ring.lost(), session.skips().counted);
    let mut dump_errors = Vec::new();

    let mut show = |ring: &mut Ring| {
        drain(ring, join);
        !join.borrow().is_over()
    };
    attach(session, Stage::Second, &mut show);
    note(
        dump(&mut session.ring, authority, join, true).await,
        &mut dump_errors,
    );
    attach(session, Stage::Last, &mut show);
    started(session, join);
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = limits.duration.map(|duration| start + duration);
    loop {
        tokio::select! {
            biased;
            () = signals.any() => break,
            () = sleep_until(end.unwrap_or(start)), if end.is_some() => break,
            _ = tick.tick() => {}
        }
        if !drain(&mut session.ring, join) {
            tick.reset_immediately();
        }
        if join.borrow().is_over() {
            break;
        }
        let settled_ns = clock::monotonic_ns().saturating_sub(2 * TICK.as_nanos() as u64);
        join.borrow_mut().causes(settled_ns);
        if let Some(diagnostics) = &mut session.diagnostics {
            diagnostics.show();
        }
        if watch.is_due() && watch.look(session, join) {
            // What was lost may have been the end of a flow, or its beginning.
            note(
                dump(&mut session.ring, authority, join, false).await,
                &mut dump_errors,
            );
            watch.dumped();
        }
    }
    while !drain(&mut session.ring, join) {}
    join.borrow_mut().causes(u64::MAX);
    watch.look(session, join);
    if join.borrow().write_error.is_none() {
        note(
            dump(&mut session.ring, authority, join, false).await,
            &mut dump_errors,
        );
    }
    join.borrow_mut().flush();
    summarize(session, join, start.elapsed(), dump_errors)
}

/// Says that from now on nothing goes unseen: who reads this may start what is to be traced.
fn started<W: Write>(session: &Session, join: &RefCell<Join<W>>) {
    let mut join = join.borrow_mut();
    if join.output.is_json() {
        let attached = |how| session.hooks.iter().filter(|report| report.how == how).count();
        let line = format!(
            "{{\"type\":\"started\",\"time_ns\":{},\"hooks\":{{\"fentry\":{},\"kprobe\":{},\"not_attached\":{}}},\"flows_from_dump\":{}}}\n",
            clock::monotonic_ns(),
            attached(How::Fentry),
            attached(How::Kprobe),
            attached(How::Not),
            Summary::count_table(&join.table)[0],
        );
        if let Err(error) = join.output.line(|out| out.extend_from_slice(line.as_bytes())) {
            join.write_error = Some(error);
        }
    }
    join.flush();
}

fn note(found: Vec<AuthorityError>, errors: &mut Vec<String>) {
    for error in found.iter().map(ToString::to_string) {
        if !errors.contains(&error) {
            errors.push(error);
        }
    }
}

/// Takes in all records that there are now, or as many as a batch may have. Says whether that was all.
fn drain<W: Write>(ring: &mut Ring, join: &RefCell<Join<W>>) -> bool {
    let mut join = join.borrow_mut();
    let taken = ring.drain(BATCH, |record| join.record(record));
    join.flush();
    taken < BATCH
}

/// Takes a dump, and the records that come meanwhile.
async fn dump<W: Write>(
    ring: &mut Ring,
    authority: &Authority,
    join: &RefCell<Join<W>>,
    seeding: bool,
) -> Vec<AuthorityError> {
    while !drain(ring, join) {}
    join.borrow_mut().table.begin_dump(clock::monotonic_ns(), seeding);
    let mut dumping =
        std::pin::pin!(authority.dump(|entry| join.borrow_mut().dumped(entry, clock::monotonic_ns())));
    let mut tick = interval(TICK);
    let covered = loop {
        tokio::select! {
            covered = &mut dumping => break covered,
            _ = tick.tick() => if !drain(ring, join) { tick.reset_immediately() },
        }
    };
    while !drain(ring, join) {}
    join.borrow_mut()
        .table
        .end_dump(clock::monotonic_ns(), |netns| covered.of(netns));
    covered.errors
}

/// The loss counters, as they were last seen.
struct Watch {
    lost: Lost,
    skipped: u64,
    next: Instant,
    /// What was lost when the last dump was taken.
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

    /// Says what was lost since the last look. True where a dump should follow: something was lost,
    /// and the burst that did it is over.
    fn look<W: Write>(&mut self, session: &Session, join: &RefCell<Join<W>>) -> bool {
        let lost = session.ring.lost();
        let skipped = session.skips().counted;
        let news = lost != self.lost || skipped != self.skipped;
        if news {
            let before = self.lost.total() + self.skipped;
            let now = lost.total() + skipped;
            self.lost = lost;
            self.skipped = skipped;
            say_loss(join, now - before, now, &self.lost);
        }
        !news && self.lost.total() + self.skipped != self.reconciled
    }

    fn dumped(&mut self) {
        self.reconciled = self.lost.total() + self.skipped;
    }
}

/// Shows a loss at once, in place.
fn say_loss<W: Write>(join: &RefCell<Join<W>>, more: u64, total: u64, lost: &Lost) {
    let mut join = join.borrow_mut();
    let json = join.output.is_json();
    let result = if json {
        join.output.line(|out| {
            out.extend_from_slice(
                format!("{{\"type\":\"loss\",\"more\":{more},\"total\":{total}").as_bytes(),
            );
            summary::lost_json(out, lost);
            out.extend_from_slice(b"}\n");
        })
    } else {
        message!("{more} records LOST or incomplete ({total} so far)");
        Ok(())
    };
    if let Err(error) = result {
        join.write_error = Some(error);
    }
}

fn summarize<W: Write>(
    session: &Session,
    join: &RefCell<Join<W>>,
    elapsed: Duration,
    dump_errors: Vec<String>,
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
    }
}
