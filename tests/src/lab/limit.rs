//! One of the kernel's settings that holds for the whole machine, other than usual for as long as a story takes.

use std::fs;

use anyhow::{Context as _, Result};

/// How many entries there may be.
pub const MAX: &str = "/proc/sys/net/netfilter/nf_conntrack_max";
/// How many buckets the table has.
pub const BUCKETS: &str = "/sys/module/nf_conntrack/parameters/hashsize";

/// A setting that goes back to what it was when this goes.
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
