//! The guest's processors, and the one that a thread runs on.

use std::{fs, io, path::Path};

use anyhow::{Context as _, Result, ensure};

/// Puts all processors but the first offline, or all online. Each patch of the kernel's code waits for all processors: on
/// one, scenarios need a third less of the host's time.
pub fn online(all: bool) -> Result<()> {
    online_in(Path::new("/sys/devices/system/cpu"), all)
}

fn online_in(directory: &Path, all: bool) -> Result<()> {
    let wanted = if all { "1" } else { "0" };
    let cpus = fs::read_dir(directory).context("list the processors")?;
    for cpu in cpus {
        let path = cpu.context("list the processors")?.path().join("online");
        // Only processors that can be offline have this file; the first one mostly has none.
        let Ok(now) = fs::read_to_string(&path) else {
            continue;
        };
        let is_first = path.ends_with("cpu0/online");
        if !is_first && now.trim() != wanted {
            fs::write(&path, wanted).with_context(|| format!("write {wanted} to {}", path.display()))?;
        }
    }
    let list = |name: &str| -> Result<String> {
        let list = fs::read_to_string(directory.join(name)).with_context(|| format!("read cpu/{name}"))?;
        Ok(list.trim().to_owned())
    };
    let (online, expected) = (
        list("online")?,
        if all { list("present")? } else { "0".to_owned() },
    );
    ensure!(
        online == expected,
        "processors {online} are online, expected {expected}"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_must_have_changed() {
        let directory = std::env::temp_dir().join(format!("rsct-cpus-{}", std::process::id()));
        let write = |name: &str, text: &str| fs::write(directory.join(name), text).unwrap();
        for cpu in ["cpu0", "cpu1", "cpufreq"] {
            fs::create_dir_all(directory.join(cpu)).unwrap();
        }
        write("present", "0-1\n");
        for (before, all, after, changes) in [
            ("1\n", false, "0\n", true),
            ("1\n", false, "0-1\n", false),
            ("0\n", true, "0-1\n", true),
            ("0\n", true, "0\n", false),
        ] {
            write("cpu1/online", before);
            // The kernel's own report, whatever was written.
            write("online", after);
            let changed = online_in(&directory, all);
            assert_eq!(changed.is_ok(), changes, "{all}, {after}: {changed:?}");
            let written = fs::read_to_string(directory.join("cpu1/online")).unwrap();
            assert_eq!(written, if all { "1" } else { "0" });
        }
        fs::remove_dir_all(directory).unwrap();
    }
}
