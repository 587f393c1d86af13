//! One fetch or installation at a time, among the guests of one test run and among several xtasks.
//!
//! Whoever waited looks again before fetching: the other one has most likely brought it.

use std::{
    fs::{self, File},
    os::fd::AsRawFd as _,
};

use anyhow::{Context as _, Result};

use crate::paths;

/// Held until dropped; the kernel lets go of it even if xtask is killed.
#[must_use]
pub struct Lock(#[expect(dead_code, reason = "closing the file is what unlocks it")] File);

/// Waits until no other one is fetching. A thread must not take it twice.
pub fn take() -> Result<Lock> {
    let file = paths::target().join("xtask.lock");
    let context = || format!("lock {}", file.display());
    fs::create_dir_all(paths::target()).with_context(context)?;
    let lock = File::create(&file).with_context(context)?;
    // SAFETY: flock takes an open descriptor and keeps nothing.
    if unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_EX) } != 0 {
        return Err(std::io::Error::last_os_error()).with_context(context);
    }
    Ok(Lock(lock))
}
