//! CPU affinity of threads.

use std::io;

use anyhow::{Context as _, Result};

/// Keeps this thread, and the processes it starts, on one CPU.
pub fn pin(cpu: usize) -> Result<()> {
    // SAFETY: a bit set, for which zero is a value.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is this function's own; `cpu` is far below its size.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: the set is alive, and of the size given; 0 is the calling thread.
    match unsafe { libc::sched_setaffinity(0, size_of_val(&set), &raw const set) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()).with_context(|| format!("stay on CPU {cpu}")),
    }
}
