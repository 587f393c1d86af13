//! The start of a measurement: what its readings mean.

use serde::{Deserialize, Serialize};

use super::By;
use crate::kernel::hz::Hz;

/// The parameters of a measurement, and its cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Begins {
    /// Its time on the monotonic clock.
    pub time_ns: u64,
    /// The key that groups durations.
    pub by: By,
    /// The time between two readings; 0 if there is only one at the end.
    #[serde(default)]
    pub every_ns: u64,
    /// The inode number of the only namespace in scope, if there is one.
    #[serde(default)]
    pub netns: Option<u32>,
    /// The same namespace as it was typed.
    #[serde(default)]
    pub netns_name: Option<String>,
    /// The filter's options without their dashes, and their values as typed.
    #[serde(default)]
    pub filter: Vec<(String, String)>,
    /// Slower calls have a record each.
    #[serde(default)]
    pub slower_than_ns: Option<u64>,
    /// The measured functions.
    #[serde(default)]
    pub hooks: Vec<MeasuredHook>,
    /// The cost of measuring, or why it is unknown.
    pub overhead: Result<Overhead, String>,
    /// The number of buckets of the table; 0 if unknown.
    #[serde(default)]
    pub table_buckets: u32,
    /// Jiffies a second.
    pub hz: Hz,
}

/// A measured function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct MeasuredHook {
    /// The kernel function.
    pub function: String,
    /// What its duration shows.
    pub shows: String,
    /// How it is attached, such as `fentry`; none if it is not.
    pub attached: Option<String>,
    /// The reasons why it is not attached, or not in the best form.
    #[serde(default)]
    pub reasons: Vec<String>,
}

/// The cost of measuring.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Overhead {
    /// Nanoseconds to read the clock.
    pub clock_ns: f64,
    /// The additional nanoseconds of a call with the two programs of a measured function.
    pub pair_ns: u64,
    /// The nanoseconds that the programs measure for a function that does nothing: the programs' share of each
    /// duration.
    pub shown_ns: u64,
}
