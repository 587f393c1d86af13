//! A reading with its time and its losses: the input of every report.

use serde::{Deserialize, Serialize};

use super::{Begins, Reading};
use crate::records::{Lost, Skips};

/// An input of a measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Measured<'a> {
    /// The measurement begins. A snapshot follows at once, from which all later ones are counted.
    Begins(&'a Begins),
    /// All counters at one moment.
    Snapshot(&'a Snapshot),
}

/// All counters at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Snapshot {
    /// The time on the monotonic clock.
    pub time_ns: u64,
    /// The counters since the measurement began.
    pub reading: Reading,
    /// Losses since the programs were attached.
    pub losses: Losses,
}

/// What the counters lack.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Losses {
    /// The number of buckets of the table; 0 if unknown.
    pub table_buckets: u32,
    /// Lost records of slow calls.
    pub lost: Lost,
    /// Program runs that the kernel skipped.
    pub skips: Skips,
    /// Malformed records.
    pub malformed: u64,
    /// Why calls may be missing that no counter shows.
    pub unproven: Option<Unproven>,
}

/// There is no proof that the kernel runs the programs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Unproven {
    /// False if it does not run them; none if that could not be tested.
    pub run: Option<bool>,
    /// The reason.
    pub reason: String,
}

impl Snapshot {
    /// The difference to an earlier snapshot of the same measurement.
    pub(crate) fn since(&self, earlier: &Self) -> (Reading, Losses) {
        let (now, then) = (&self.losses, &earlier.losses);
        let losses = Losses {
            table_buckets: now.table_buckets,
            lost: now.lost.since(&then.lost),
            skips: Skips {
                counted: now.skips.counted.saturating_sub(then.skips.counted),
                uncounted: now.skips.uncounted,
            },
            malformed: now.malformed.saturating_sub(then.malformed),
            unproven: now.unproven.clone(),
        };
        (self.reading.since(&earlier.reading), losses)
    }
}
