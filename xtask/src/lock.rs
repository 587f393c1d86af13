//! One fetch or installation of a kind at a time, among the guests of one test run and among several xtasks.
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

/// What only one may do at a time. Different kinds do not disturb one another.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Fetch what guests are made of.
    Guests,
    /// Build the linker for eBPF objects.
    Linker,
}

/// Waits until no other one does what is meant. A thread must not take the same lock twice.
pub fn take(kind: Kind) -> Result<Lock> {
    let file = paths::target().join(match kind {
        Kind::Guests => "xtask.lock",
        Kind::Linker => "xtask-linker.lock",
    });
    let context = || format!("lock {}", file.display());
    fs::create_dir_all(paths::target()).with_context(context)?;
    let lock = File::create(&file).with_context(context)?;
    // SAFETY: flock takes an open descriptor and keeps nothing.
    if unsafe { libc::flock(lock.as_raw_fd(), libc::LOCK_EX) } != 0 {
        return Err(std::io::Error::last_os_error()).with_context(context);
    }
    Ok(Lock(lock))
}
