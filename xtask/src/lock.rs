//! Locks against concurrent fetches and installations, among the guests of one test run and among several xtasks.
//!
//! After waiting, check again before fetching: the previous holder has probably fetched the same.

use std::{
    fs::{self, File},
    os::fd::AsRawFd as _,
};

use anyhow::{Context as _, Result};

use crate::paths;

/// Held until dropped; the kernel releases it even if xtask is killed.
#[must_use]
pub struct Lock(#[expect(dead_code, reason = "closing the file is what unlocks it")] File);

/// The locked operation. Different kinds do not block one another.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Fetching the parts of guests.
    Guests,
    /// Fetching the browser.
    Browser,
    /// Building the linker for eBPF objects.
    Linker,
    /// Fetching trace_processor.
    Perfetto,
}

/// Waits until the lock is free. A thread must not take the same lock twice.
pub fn take(kind: Kind) -> Result<Lock> {
    let file = paths::target().join(match kind {
        Kind::Guests => "xtask.lock",
        Kind::Browser => "xtask-browser.lock",
        Kind::Linker => "xtask-linker.lock",
        Kind::Perfetto => "xtask-perfetto.lock",
    });
    let context = || format!("lock {}", file.display());
    fs::create_dir_all(paths::target()).with_context(context)?;
    let lock = File::create(&file).with_context(context)?;
    // SAFETY: flock is called with an open descriptor and keeps nothing.
    if unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_EX) } != 0 {
        return Err(std::io::Error::last_os_error()).with_context(context);
    }
    Ok(Lock(lock))
}
