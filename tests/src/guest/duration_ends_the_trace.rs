//! `--duration TIME`: the trace ends by itself after this time, with or without packets.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::lab::{Lab, Trace};

/// The longest time from `started` to the end. Attaching is before that, and detaching after the end.
const MOST: Duration = Duration::from_secs(5);

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let mut trace = Trace::start(&lab.client.name, &["--duration", "700ms"])?;
    let started = Instant::now();
    let ended = trace.ended()?;
    let took = started.elapsed();
    ensure!(ended.status.code() == Some(0), "{}", ended.told());
    let elapsed_ns = ended.summary()?.number("/elapsed_ns").unwrap_or_default();
    ensure!(elapsed_ns >= 700_000_000, "it ended after {elapsed_ns} ns");
    ensure!(took < MOST, "it ended {took:?} after it had started");
    Ok(())
}
