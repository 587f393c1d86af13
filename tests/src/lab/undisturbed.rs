//! Sending packets without preemption by other tasks.

use std::io;

use anyhow::{Context as _, Result};

/// Runs `act` on this thread, and the threads and commands that it starts, ahead of every ordinary task.
///
/// A kernel that preempts (6.18 and later, as Debian builds them) moves a process off its CPU in the middle of a
/// traversal. While it waits inside one of our programs, the kernel skips that program on this CPU; on another CPU the
/// program at the function's exit does not find the state of its start. For an exact count, neither may happen.
pub fn undisturbed<T>(act: impl FnOnce() -> Result<T>) -> Result<T> {
    // SAFETY: 0 is this thread.
    let before = unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) };
    if before == i64::from(libc::SCHED_FIFO) {
        return act();
    }
    set(libc::SCHED_FIFO, 1)?;
    let acted = act();
    set(libc::SCHED_OTHER, 0)?;
    acted
}

fn set(policy: libc::c_int, priority: libc::c_int) -> Result<()> {
    // The system call itself: musl's function of that name always fails. Its `struct sched_param` is the priority.
    // SAFETY: 0 is this thread; the priority is read only during the call.
    if unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority) } != 0 {
        return Err(io::Error::last_os_error()).context("change how this thread is scheduled");
    }
    Ok(())
}
