//! Counts of lost records.

use rsct_common::loss::LOSSES;
use serde::{Deserialize, Serialize};

/// The losses, per CPU and kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lost {
    /// For each CPU, a count for each [`rsct_common::loss::Loss`].
    pub per_cpu: Vec<[u64; LOSSES]>,
}

impl Lost {
    /// Returns the sum of one kind over all CPUs.
    pub(crate) fn of(&self, kind: usize) -> u64 {
        self.per_cpu.iter().map(|counts| counts[kind]).sum()
    }

    /// Returns the losses since an earlier count.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let mut since = self.clone();
        for (counts, then) in since.per_cpu.iter_mut().zip(&earlier.per_cpu) {
            for (count, then) in counts.iter_mut().zip(then) {
                *count = count.saturating_sub(*then);
            }
        }
        since
    }

    /// Adds the losses of another recording.
    pub(crate) fn add(&mut self, other: &Self) {
        let cpus = self.per_cpu.len().max(other.per_cpu.len());
        self.per_cpu.resize(cpus, [0; LOSSES]);
        for (counts, more) in self.per_cpu.iter_mut().zip(&other.per_cpu) {
            for (count, more) in counts.iter_mut().zip(more) {
                *count += more;
            }
        }
    }

    /// Returns the sum of all kinds.
    pub(crate) fn total(&self) -> u64 {
        (0..LOSSES).map(|kind| self.of(kind)).sum()
    }
}

/// Program runs that the kernel skipped because a program was already running on that CPU: each is a missing or
/// incomplete record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Skips {
    /// The number that the kernel counted.
    pub counted: u64,
    /// True if there are kprobes, and this kernel does not count their skipped runs.
    pub uncounted: bool,
}
