//! Losses between two readings.

use crate::records::{Lost, Skips};

/// The losses between two readings.
#[derive(Default)]
pub(super) struct Losses {
    pub(super) lost: Lost,
    pub(super) skips: Skips,
    pub(super) malformed: u64,
}

impl Losses {
    /// Adds those between two readings of one source.
    pub(super) fn add(&mut self, lost: (&Lost, &Lost), skips: (Skips, Skips), malformed: (u64, u64)) {
        let (before, after) = lost;
        for (cpu, counts) in after.per_cpu.iter().enumerate() {
            if self.lost.per_cpu.len() <= cpu {
                self.lost.per_cpu.push(Default::default());
            }
            for (kind, count) in counts.iter().enumerate() {
                let earlier = before.per_cpu.get(cpu).map_or(0, |counts| counts[kind]);
                self.lost.per_cpu[cpu][kind] += count.saturating_sub(earlier);
            }
        }
        self.skips.counted += skips.1.counted.saturating_sub(skips.0.counted);
        self.skips.uncounted |= skips.1.uncounted;
        self.malformed += malformed.1.saturating_sub(malformed.0);
    }

    /// The loss of all kinds.
    pub(super) fn total(&self) -> u64 {
        self.lost.total() + self.skips.counted + self.malformed
    }
}
