//! Kernel settings of the whole machine, changed while a scenario runs.

use std::fs;

use anyhow::{Context as _, Result};

/// Limit of entries in the table.
pub const MAX: &str = "/proc/sys/net/netfilter/nf_conntrack_max";
/// Number of buckets of the table.
pub const BUCKETS: &str = "/sys/module/nf_conntrack/parameters/hashsize";

/// A setting whose former value is restored on drop.
pub struct Limit {
    path: &'static str,
    before: String,
}

impl Limit {
    /// Sets it.
    pub fn set(path: &'static str, value: u32) -> Result<Self> {
        let before = fs::read_to_string(path).with_context(|| format!("read {path}"))?;
        let before = before.trim().to_owned();
        fs::write(path, value.to_string()).with_context(|| format!("write {value} into {path}"))?;
        Ok(Self { path, before })
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        let _ = fs::write(self.path, &self.before);
    }
}
