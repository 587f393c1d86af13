//! The closing figures of a source.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::records::{Lost, Skips};

/// The closing figures of a source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ended {
    /// The duration.
    pub elapsed: Duration,
    /// Records that the eBPF programs lost, per CPU and kind.
    pub lost: Lost,
    /// eBPF programs that the kernel skipped because one was already running on that CPU.
    pub skips: Skips,
    /// Malformed records.
    pub malformed: u64,
    /// Causes that were lost, or missed because the kernel skipped programs.
    pub causes_lost: u64,
    /// True if there may be more: this kernel does not count skipped kprobes.
    pub causes_lost_uncounted: bool,
    /// Failed dumps.
    pub dump_errors: Vec<String>,
    /// Why records may be missing that no counter shows.
    pub doubt: Option<Doubt>,
}

/// Why records may be missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Doubt {
    /// Its time on the monotonic clock.
    pub time_ns: u64,
    /// False if the kernel does not run the programs; none if that is unknown.
    pub run: Option<bool>,
    /// The reason.
    pub reason: String,
}
