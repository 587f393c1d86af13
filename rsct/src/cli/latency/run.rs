//! The loop: what is slow on a timer, a reading after each interval, signals, and the end of the time.

use std::{
    io::{self, Write as _},
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until};

use super::{
    LatencyArgs, Measuring,
    shown::{Rest, Shown},
    slow::SlowOnes,
    start::table_buckets,
};
use crate::{
    kernel::{clock, interrupt::Signals},
    probe::{ring::Record, session::Session},
};

/// Longer than anybody measures.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);
/// How often it is looked whether something slow has come.
const TICK: Duration = Duration::from_millis(20);

/// Measures, and shows it.
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
    let mut slow = SlowOnes::new(shown.json, started_ns);
    let mut out = Vec::new();
    shown.started(&mut out, args, &measuring, started_ns);
    write(&mut out)?;

    let mut tick = interval_at(start + TICK, TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut step = interval_at(
        start + args.interval.unwrap_or(TICK),
        args.interval.unwrap_or(FOREVER),
    );
    let mut last = (first.clone(), start);
    loop {
        tokio::select! {
            biased;
            () = signals.any() => break,
            () = sleep_until(start + args.duration) => break,
            _ = step.tick(), if args.interval.is_some() => {
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
    slow.ways(&mut out);
    shown.whole(&mut out, &reading, elapsed);
    let rest = Rest {
        elapsed,
        slow: args.slower_than.map(|_| slow.count),
        unfinished: reading.counts.unfinished,
        resized: resized(measuring.table_buckets),
    };
    shown.end(&mut out, &measuring.session, &rest);
    write(&mut out)
}

fn drain(session: &mut Session, slow: &mut SlowOnes, out: &mut Vec<u8>) {
    // No more than the ring holds: in a flood there are new ones all the time.
    let most = session.ring.capacity();
    session.ring.drain(most, |record| {
        if let Record::Slow(record) = record {
            slow.tell(out, record);
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
    // As it is: that nobody reads any more is no failure.
    Ok(result?)
}

/// A table that has another size now: its buckets were reckoned with the old one.
fn resized(buckets: u32) -> Option<(u32, u32)> {
    let now = table_buckets();
    (now != buckets).then_some((buckets, now))
}
