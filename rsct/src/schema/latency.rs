//! The lines of `rsct latency`.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    common::{Loss, Map, Skips, Step, Task, Tuple, Unproven, Word},
    tag, with_host,
};

/// The measurement began.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct LatencyStarted<'a> {
    /// The type of the line
    pub r#type: tag::Started,
    /// The time on the monotonic clock
    pub time_ns: u64,
    /// The key that groups durations: `outcome`, `proto`, `netns`, `hook` or `cpu`
    pub by: &'a str,
    /// The inode number of the one measured network namespace; absent if all are measured
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<u64>,
    /// The filter's options
    pub filter: Vec<FilterOption<'a>>,
    /// The error of a quantile, in percent of the true value
    pub error_percent: f64,
    /// The measured functions
    pub hooks: Vec<LatencyHook<'a>>,
    /// The cost of the measurement
    pub overhead: Overhead<'a>,
}

/// An option of a filter.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct FilterOption<'a> {
    /// The option's name, without its dashes
    pub option: &'a str,
    /// Its value, as typed
    pub argument: &'a str,
}

/// A measured function.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct LatencyHook<'a> {
    /// The kernel function
    pub function: &'a str,
    /// `fentry`, `kprobe` or `not attached`
    pub attached: &'a str,
    /// The reasons why it is not attached, or not in the best form
    pub reasons: &'a [String],
}

/// The cost of the measurement.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Overhead<'a> {
    /// The duration of reading the clock
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_ns: Option<f64>,
    /// The time that the measurement adds to a call
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pair_ns: Option<u64>,
    /// The part of that time that is in each duration
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shown_ns: Option<u64>,
    /// The reason why the cost could not be measured
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
}

/// The measured time of a line.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
pub(crate) struct Span {
    /// The time at the end, on the monotonic clock
    pub time_ns: u64,
    /// The duration of the measurement, or of its last interval
    pub elapsed_ns: u64,
    /// True for the whole measurement, false for one interval
    pub whole: bool,
}

/// The durations of one function under one key.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct Latency<'a> {
    /// The type of the line
    pub r#type: tag::Latency,
    /// The measured time
    #[serde(flatten)]
    pub span: Span,
    /// The function: `nf_conntrack_in`, `__nf_conntrack_confirm`, `nf_nat_setup_info` (called twice for a flow, for its destination and for its source, even without a rule that translates it), `nf_conntrack_lock`, `nf_conntrack_double_lock` or `gc_worker`; or `nf_conntrack_locks`, which is no function: waiting for one of the table's locks while another CPU holds it
    pub function: &'a str,
    /// The key that groups durations, as in `started`; `nothing` for a function that has none: locks and garbage collection belong to no flow
    pub by: &'a str,
    /// The key: `all`; an outcome (of `nf_conntrack_in` as in a trace, `untracked` only if conntrack itself leaves the packet alone; of confirm `inserted`, `clash` (another entry was first) or `dropped`; of NAT `bound` or `failed`); a protocol; a namespace; a hook; or a CPU
    pub key: &'a str,
    /// The number of the protocol, the hook or the CPU, or the namespace's inode number
    #[serde(skip_serializing_if = "Option::is_none")]
    pub number: Option<u32>,
    /// The durations, in nanoseconds
    pub durations_ns: Values,
}

/// The values of a measured quantity.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Values {
    /// The number of values
    pub count: u64,
    /// Their sum
    pub sum: u64,
    /// The median; absent if there are no values
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50: Option<u64>,
    /// The 90th percentile
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p90: Option<u64>,
    /// The 99th percentile
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99: Option<u64>,
    /// The 99.9th percentile
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p999: Option<u64>,
    /// The largest value, or a bound for it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
    /// True if `max` is exact; in an interval it is a bound if an earlier interval had a larger value
    pub max_is_exact: bool,
    /// The values by size
    pub histogram: Vec<Step>,
}

/// Packets that `nf_conntrack_in` accepts at once and that are not timed.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct LatencyCounts<'a> {
    /// The type of the line
    pub r#type: tag::LatencyCounts,
    /// The measured time
    #[serde(flatten)]
    pub span: Span,
    /// `nf_conntrack_in`
    pub function: &'a str,
    /// The number of packets that had their entry before
    pub tracked_already: u64,
    /// The number of packets that a rule had marked as untracked
    pub untracked_already: u64,
}

/// Garbage collection.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct Gc {
    /// The type of the line
    pub r#type: tag::Gc,
    /// The measured time
    #[serde(flatten)]
    pub span: Span,
    /// The number of runs that ended
    pub runs: u64,
    /// The buckets of the hash table that each run looked at
    pub hash_buckets: Values,
    /// The entries that each run reaped
    pub reaped: Values,
    /// The delay of each reaped entry, in jiffies
    pub late_jiffies: Values,
    /// Jiffies in a second
    pub hz: u32,
    /// The number of entries evicted before their timeout because the table was nearly full
    pub evicted: u64,
}

/// A slow call. Only with `--slower-than`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct Slow<'a> {
    /// The type of the line
    pub r#type: tag::Slow,
    /// The time when the call began, on the monotonic clock
    pub time_ns: u64,
    /// The function
    pub function: &'a str,
    /// The outcome
    pub outcome: &'a str,
    /// The duration of the call
    pub duration_ns: u64,
    /// The CPU
    pub cpu: u16,
    /// The netfilter hook
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook: Option<Word>,
    /// The interface's number
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ifindex: Option<u32>,
    /// The inode number of the network namespace
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<u64>,
    /// The flow's original direction
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orig: Option<Tuple>,
    /// The process
    #[serde(flatten)]
    pub task: Option<Task>,
    /// The functions of the kernel's stack, the innermost first
    pub stack: &'a [String],
}

/// The last line.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct LatencySummary {
    /// The type of the line
    pub r#type: tag::Summary,
    /// The duration of the measurement
    pub elapsed_ns: u64,
    /// The number of slow calls
    pub slow: u64,
    /// The number of calls that were entered and not seen to return: still running, or on another CPU than before, if the kernel preempts
    pub unfinished: u64,
    /// The same by function
    pub unfinished_by_function: Map<u64>,
    /// Skipped runs and malformed records
    #[serde(flatten)]
    pub skips: Skips,
    /// The number of lost records
    pub lost_total: u64,
    /// All losses, by CPU and kind
    pub losses: Vec<Loss>,
    /// The size of the hash table at the beginning, if it was resized during the measurement
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash_buckets_before: Option<u32>,
    /// The size of the hash table at the end, if it was resized during the measurement
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash_buckets_now: Option<u32>,
    /// Why calls may be missing that nothing counts; absent if there is no reason for doubt
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unproven: Option<Unproven>,
}
