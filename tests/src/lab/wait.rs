//! Waiting for something to become true, but not forever.

use std::{
    thread,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};

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
