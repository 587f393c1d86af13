//! The lines of `rsct top -o json`.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    common::{Tuple, Word},
    tag,
};

/// The figures of an interval.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Snapshot {
    /// The type of the line
    pub r#type: tag::Snapshot,
    /// The end of the interval, on the monotonic clock
    pub time_ns: u64,
    /// The length of the interval
    pub interval_ns: u64,
    /// The totals since the start
    pub totals: SnapshotTotals,
    /// The totals of the interval
    pub grown: SnapshotTotals,
    /// The table of each network namespace
    pub tables: Vec<TableUse>,
    /// The causes of the interval, the most frequent first
    pub causes: Vec<CauseGrowth>,
    /// The entries by namespace, zone, protocol and state, as records and dumps show them
    pub population: Vec<EntryClass>,
    /// The flows with the most packets in the interval
    pub top_flows: Vec<Leader>,
    /// The sources with the most packets in the interval
    pub top_sources: Vec<Leader>,
    /// The destinations with the most packets in the interval
    pub top_destinations: Vec<Leader>,
    /// The processes that sent the most packets in the interval
    pub top_tasks: Vec<Leader>,
    /// The network namespaces with the most packets in the interval
    pub top_namespaces: Vec<Leader>,
    /// The durations of `nf_conntrack_in` in the interval; absent if no packet was timed
    #[serde(skip_serializing_if = "Option::is_none")]
    pub durations_ns: Option<DurationFigures>,
    /// True if there were too many flows, sources, destinations or processes to count each
    pub leaders_are_lower_bounds: bool,
    /// The hooks that have not fired although a dump shows that they should have
    pub unfired: Vec<String>,
}

/// Totals of events.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct SnapshotTotals {
    /// The packets that traversed conntrack
    pub packets: u64,
    /// Their bytes, from the network header on
    pub bytes: u64,
    /// The packets with an entry that was not in the table yet
    pub created: u64,
    /// The entries that came into the table
    pub inserted: u64,
    /// The deleted entries
    pub deleted: u64,
    /// The INVALID packets
    pub invalid: u64,
    /// The packets that conntrack dropped
    pub dropped: u64,
    /// The entries that could not be inserted or allocated
    pub insert_failed: u64,
    /// The lost records and skipped programs: the other totals lack them
    pub lost: u64,
}

impl From<crate::snapshot::Totals> for SnapshotTotals {
    fn from(totals: crate::snapshot::Totals) -> Self {
        Self {
            packets: totals.packets,
            bytes: totals.bytes,
            created: totals.created,
            inserted: totals.inserted,
            deleted: totals.deleted,
            invalid: totals.invalid,
            dropped: totals.dropped,
            insert_failed: totals.insert_failed,
            lost: totals.lost,
        }
    }
}

/// The table of a network namespace.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct TableUse {
    /// The inode number of the network namespace
    pub netns: u32,
    /// Its name, if it has one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns_name: Option<String>,
    /// The entries
    pub entries: u64,
    /// `net.netfilter.nf_conntrack_max`; absent if it is unknown
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_entries: Option<u32>,
    /// The time until the table is full at the growth of the interval; absent if it does not grow or the limit is unknown
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_in_s: Option<u64>,
}

/// A cause.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct CauseGrowth {
    /// The cause, as in `rsct why --causes`
    pub cause: &'static str,
    /// The topic of `rsct why` that explains it
    pub topic: &'static str,
    /// Its occurrences since the start
    pub count: u64,
    /// Its occurrences in the interval
    pub recent: u64,
    /// `kernel`: the eBPF programs count it, so lost records do not change the count; `records`: the count is that of its records
    pub counted_by: &'static str,
}

/// The entries of a class.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct EntryClass {
    /// The inode number of the network namespace
    pub netns: u32,
    /// The zone
    pub zone: u16,
    /// The protocol
    pub proto: Word,
    /// The protocol's state; absent if the protocol has none
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Word>,
    /// The number of entries
    pub entries: u64,
}

/// A flow, source, destination, process or network namespace, with its figures.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Leader {
    /// The inode number of the network namespace; 0 for a process
    pub netns: u32,
    /// The zone, of a flow
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<u16>,
    /// The original direction, of a flow
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orig: Option<Tuple>,
    /// The address, of a source
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src: Option<String>,
    /// The address, of a destination
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst: Option<String>,
    /// The protocol, of a destination
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proto: Option<Word>,
    /// The port, of a destination
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dport: Option<u16>,
    /// The id, of a process
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The name, of a process
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comm: Option<String>,
    /// The packets of the interval
    pub packets: u64,
    /// Their bytes, from the network header on
    pub bytes: u64,
    /// Their packets with an entry that was not in the table yet
    pub created: u64,
    /// The time that they spent in `nf_conntrack_in`
    pub cost_ns: u64,
}

/// Durations.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct DurationFigures {
    /// The number of durations
    pub count: u64,
    /// Their sum
    pub sum: u64,
    /// Their median
    pub p50: u64,
    /// The duration that 99 % do not exceed
    pub p99: u64,
    /// The longest, or a bound of it
    pub max: u64,
}
