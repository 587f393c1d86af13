//! The privileges of a process, as /proc shows them.

use std::fs;

use anyhow::{Context as _, Result, ensure};

use super::wait;

/// The privileges of all threads of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privileges {
    /// The effective and the permitted capabilities.
    pub capabilities: [u64; 2],
    /// True if no program that it starts gains privileges.
    pub no_new: bool,
    /// The effective user.
    pub uid: u32,
    /// The supplementary groups.
    pub groups: Vec<u32>,
}

/// The privileges of each thread.
pub fn privileges(pid: u32) -> Result<Vec<Privileges>> {
    let mut all = Vec::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end during that time.
        if let Ok(status) = fs::read_to_string(task?.path().join("status")) {
            all.push(parsed(&status).with_context(|| format!("privileges in {status}"))?);
        }
    }
    Ok(all)
}

fn parsed(status: &str) -> Option<Privileges> {
    let value = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.strip_prefix(':').map(str::trim)
    };
    let set = |key| u64::from_str_radix(value(key)?, 16).ok();
    Some(Privileges {
        capabilities: [set("CapEff")?, set("CapPrm")?],
        no_new: value("NoNewPrivs")? == "1",
        uid: value("Uid")?.split_whitespace().nth(1)?.parse().ok()?,
        groups: value("Groups")?
            .split_whitespace()
            .filter_map(|group| group.parse().ok())
            .collect(),
    })
}

/// Waits until all threads of a process have these capabilities, can gain no others, and have no groups of root.
pub fn keeps_only(pid: u32, capabilities: u64, uid: u32) -> Result<()> {
    let is_it = |one: &Privileges| {
        one.capabilities == [capabilities; 2]
            && one.no_new
            && one.uid == uid
            && (uid == 0 || one.groups.is_empty())
    };
    let mut last = Vec::new();
    let waited = wait::until("the process drops its privileges", || {
        last = privileges(pid)?;
        Ok(!last.is_empty() && last.iter().all(is_it))
    });
    waited.with_context(|| format!("{last:x?} instead of {capabilities:x} as user {uid}"))
}

/// The child of a process with this name.
pub fn child(pid: u32, name: &str) -> Result<Option<u32>> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .context("the kernel lists children (CONFIG_PROC_CHILDREN)")?;
    for child in children.split_whitespace() {
        let child: u32 = child.parse()?;
        if fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|comm| comm.trim() == name) {
            return Ok(Some(child));
        }
    }
    Ok(None)
}

/// Kills a process.
pub fn kill(pid: u32) -> Result<()> {
    // SAFETY: a plain call.
    let killed = unsafe { libc::kill(i32::try_from(pid)?, libc::SIGKILL) };
    ensure!(killed == 0, "kill {pid}: {}", std::io::Error::last_os_error());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_parsed() {
        let status = "Name:\trsct\nUid:\t0\t65534\t0\t0\nGroups:\t4 27 \nNoNewPrivs:\t1\nCapPrm:\t0000000000001000\nCapEff:\t0000000000000000\n";
        let expected = Privileges {
            capabilities: [0, 0x1000],
            no_new: true,
            uid: 65534,
            groups: vec![4, 27],
        };
        assert_eq!(parsed(status), Some(expected));
        assert_eq!(parsed("Name:\trsct\n"), None);
    }
}
