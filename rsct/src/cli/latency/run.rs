//! The event loop: slow calls, readings after each interval, signals, and the end of the duration.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use super::{
    LatencyArgs, Measuring,
    shown::{Shown, Totals},
    slow::SlowCalls,
    start::table_buckets,
};
use crate::{
    kernel::{clock, interrupt::Signals},
    probe::session::Session,
    records::Record,
};

/// Longer than any measurement.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);
/// Interval at which the ring buffer is read for slow calls.
const TICK: Duration = Duration::from_millis(20);

/// Measures and prints the reports.
pub(super) async fn run(
    args: &LatencyArgs,
    mut measuring: Measuring,
    mut signals: Signals,
) -> anyhow::Result<()> {
    let shown = Shown::new(args)?;
    measuring.tallies.clear()?;
    let started_ns = clock::monotonic_ns();
    let start = Instant::now();
    let first = measuring.tallies.read()?;
    let mut slow = SlowCalls::new(shown.json, started_ns);
    let mut out = Vec::new();
    shown.started(&mut out, args, &measuring, started_ns);
    write(&mut out)?;

    let mut tick = interval_at(start + TICK, TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut step = interval_at(
        start + args.interval.interval.unwrap_or(TICK),
        args.interval.interval.unwrap_or(FOREVER),
    );
    let mut last = (first.clone(), start);
    loop {
        tokio::select! {
            biased;
            () = signals.any() => break,
            () = sleep_until(start + args.duration.duration) => break,
            _ = step.tick(), if args.interval.interval.is_some() => {
                let now = Instant::now();
                let reading = measuring.tallies.read()?;
                shown.interval(&mut out, &reading.since(&last.0), now - last.1, now - start);
                last = (reading, now);
            }
            _ = tick.tick(), if args.slower_than.is_some() => {
                drain(&mut measuring.session, &mut slow, &mut out);
            }
        }
        write(&mut out)?;
    }
    drain(&mut measuring.session, &mut slow, &mut out);
    let elapsed = start.elapsed();
    let reading = measuring.tallies.read()?.since(&first);
    slow.stacks(&mut out);
    shown.whole(&mut out, &reading, elapsed);
    let totals = Totals {
        elapsed,
        slow: args.slower_than.map(|_| slow.count),
        unfinished: reading.counts.unfinished,
        resized: resized(measuring.table_buckets),
    };
    shown.end(&mut out, &measuring.session, &totals);
    write(&mut out)
}

fn drain(session: &mut Session, slow: &mut SlowCalls, out: &mut Vec<u8>) {
    // No more than the capacity of the ring: in a flood it is never empty.
    let most = session.ring.capacity();
    session.ring.drain(most, |record| {
        if let Record::Slow(record) = record {
            slow.print(out, record);
        }
    });
}

fn write(out: &mut Vec<u8>) -> anyhow::Result<()> {
    if out.is_empty() {
        return Ok(());
    }
    let mut stdout = io::stdout().lock();
    let result = stdout.write_all(out).and_then(|()| stdout.flush());
    out.clear();
    // Unchanged: the caller checks for a broken pipe.
    Ok(result?)
}

/// The old and the new number of buckets, if the table was resized.
fn resized(buckets: u32) -> Option<(u32, u32)> {
    let now = table_buckets();
    (now != buckets).then_some((buckets, now))
}
