//! `--duration TIME`: the trace ends by itself when the time is over, with or without packets.

use anyhow::{Result, ensure};

use crate::lab::{Lab, Trace, wait::DEADLINE};

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let mut trace = Trace::start(&lab.client.name, &["--duration", "700ms"])?;
    let ended = trace.ended()?;
    ensure!(ended.status.code() == Some(0), "{}", ended.told());
    let elapsed_ns = ended.summary()?.number("/elapsed_ns").unwrap_or_default();
    // A busy host may take long to detach, which counts too.
    let most_ns = i64::try_from(DEADLINE.as_nanos())?;
    ensure!(
        (700_000_000..most_ns).contains(&elapsed_ns),
        "it took {elapsed_ns} ns"
    );
    Ok(())
}
