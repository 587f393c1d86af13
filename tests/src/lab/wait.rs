//! Waiting for something to become true, but not forever.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};

/// Much longer than any step, even on an emulated processor that a busy host shares: only a failing scenario waits for
/// it.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// Repeats the check until it succeeds.
pub fn until(what: &str, mut is_so: impl FnMut() -> Result<bool>) -> Result<()> {
    let end = Instant::now() + DEADLINE;
    while !is_so()? {
        if Instant::now() > end {
            bail!("waited {} s in vain until {what}", DEADLINE.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Returns whether a process sleeps or has ended: after it has received everything, it has also processed it. On a busy machine, a
/// process that has received something may wait for a processor before it prints.
pub fn is_asleep(pid: u32) -> Result<bool> {
    let stat =
        fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("state of process {pid}"))?;
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    Ok(matches!(state, Some('S' | 'Z')))
}
