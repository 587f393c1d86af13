//! The guest's processors, and the one that a thread runs on.

use std::{fs, io};

use anyhow::{Context as _, Result, ensure};

/// Takes all processors but the first away from the kernel, or returns them. Each patch of the kernel's code waits for
/// all processors: on one, scenarios take a third less of the host's time.
pub fn online(all: bool) -> Result<()> {
    let wanted = if all { "1" } else { "0" };
    let cpus = fs::read_dir("/sys/devices/system/cpu").context("list the processors")?;
    for cpu in cpus {
        let path = cpu.context("list the processors")?.path().join("online");
        // Only processors that can be taken away have this file; the first one mostly has none.
        let Ok(now) = fs::read_to_string(&path) else {
            continue;
        };
        let is_first = path.ends_with("cpu0/online");
        if !is_first && now.trim() != wanted {
            fs::write(&path, wanted).with_context(|| format!("write {wanted} to {}", path.display()))?;
        }
    }
    let online = fs::read_to_string("/sys/devices/system/cpu/online").context("read the processors online")?;
    // `0-1` or `0,2`; a single number is one processor.
    ensure!(
        !all || online.contains(['-', ',']),
        "the scenario needs several processors, but only {} is online",
        online.trim()
    );
    Ok(())
}

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
