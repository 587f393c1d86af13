//! A new network namespace has no conntrack entries: entries that scenarios find there later are their own.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

pub fn run() -> Result<()> {
    let output = Command::new("unshare")
        .args(["--net", "conntrack", "-L"])
        .output()
        .context("run `conntrack -L` in a new network namespace (are unshare and conntrack installed?)")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "conntrack -L: {}\n{said}", output.status);
    let entries = String::from_utf8_lossy(&output.stdout);
    ensure!(entries.is_empty(), "a new namespace has entries:\n{entries}");
    Ok(())
}
