//! Running code inside another network namespace.

use std::{fs::File, os::fd::AsRawFd as _, thread};

use anyhow::{Context as _, Result, anyhow};

/// Runs `act` on a thread of its own that has entered the namespace called `netns`. The thread and the task in the
/// kernel are called `comm`.
pub fn inside<T: Send>(netns: &str, comm: &str, act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let path = format!("/run/netns/{netns}");
    let file = File::open(&path).with_context(|| format!("open {path}"))?;
    thread::scope(|scope| {
        let entered = thread::Builder::new()
            .name(comm.to_owned())
            .spawn_scoped(scope, || {
                // SAFETY: the descriptor is open; only this thread changes its namespace.
                if unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) } != 0 {
                    return Err(std::io::Error::last_os_error()).with_context(|| format!("enter {path}"));
                }
                act()
            })
            .context("start a thread")?;
        entered
            .join()
            .map_err(|_| anyhow!("the thread in {path} panicked"))?
    })
}
