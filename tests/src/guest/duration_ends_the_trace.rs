//! `--duration TIME`: the trace ends by itself when the time is over, with or without packets.

use anyhow::{Result, ensure};

use crate::lab::{Lab, Trace};

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let mut trace = Trace::start_without_causes(&lab.client.name, &["--duration", "700ms"])?;
    let ended = trace.ended()?;
    ensure!(ended.status.code() == Some(0), "{}", ended.told());
    let elapsed_ns = ended.summary()?.number("/elapsed_ns").unwrap_or_default();
    ensure!(
        (700_000_000..5_000_000_000).contains(&elapsed_ns),
        "it took {elapsed_ns} ns"
    );
    Ok(())
}
