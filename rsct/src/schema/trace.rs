//! The lines of `rsct trace`. `render/trace_json.rs` writes packets and entry events without these structs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    common::{
        HookCounts, IcmpError, Loss, Map, OutOfWindow, Requester, Skips, Task, Tuple, Unproven, Word,
        state_name, status_names,
    },
    entry::TimeoutSource,
    tag, with_host,
};
use crate::flow;

/// All hooks are attached and the first dump is read: every packet and event from now on is reported. rsct may write
/// packets before this line, while it attaches the hooks of entries.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct Started {
    /// The type of the line
    pub r#type: tag::Started,
    /// The time on the monotonic clock
    pub time_ns: u64,
    /// Attached hooks by form
    pub hook_counts: HookCounts,
    /// The number of flows in the first dump
    pub flows_from_dump: usize,
}

/// The hooks that report causes are attached: packets and events from now on have a `why`. `--no-causes` omits this
/// line and every `why`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct Causes {
    /// The type of the line
    pub r#type: tag::Causes,
    /// Attached hooks by form
    pub hook_counts: HookCounts,
}

/// Traversal of `nf_conntrack_in` by one packet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct Packet {
    /// The type of the line
    pub r#type: tag::Packet,
    /// The time when `nf_conntrack_in` was entered, on the monotonic clock
    pub time_ns: u64,
    /// The CPU
    pub cpu: u16,
    /// The netfilter hook: `PRE_ROUTING`, `LOCAL_OUT`
    pub hook: Word,
    /// The inode number of the network namespace
    pub netns: u64,
    /// The interface on which the packet arrived; with `LOCAL_OUT` the one on which it leaves
    pub ifindex: u32,
    /// The flow's number in this trace, never used twice; absent if the packet has no entry
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<u64>,
    /// The flow's original direction; of a packet without an entry its own headers
    pub orig: Tuple,
    /// The zone, if it is not 0
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<u16>,
    /// The mark, if it is not 0
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<u32>,
    /// The outcome: `created` (it has a new entry, not yet in the table), `tracked` (it belongs to an entry of the table), `tracked_already` (it had its entry before, as on loopback or in a second traversal, and conntrack did nothing), `invalid` (it passes without an entry), `dropped`, or `untracked` (by a rule)
    pub outcome: Word,
    /// The return value of `nf_conntrack_in`: 1 ACCEPT, 0 DROP
    pub verdict: u8,
    /// `NEW`, `ESTABLISHED`, `RELATED` or `UNTRACKED`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ctinfo: Option<Word>,
    /// The packet's direction: `orig` or `reply`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<Word>,
    /// The duration of `nf_conntrack_in`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ns: Option<u64>,
    /// The packet's length from its network header on
    pub len_bytes: u32,
    /// The entry when the protocol's handler was entered
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Moment>,
    /// The entry when `nf_conntrack_in` returned
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Moment>,
    /// The timeout that the packet requested
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_ms: Option<u64>,
    /// The source of the timeout that the packet set; absent if it set none
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_source: Option<TimeoutSource>,
    /// The TCP header
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_header: Option<TcpHeader>,
    /// The ICMP error that the packet is
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp: Option<IcmpError>,
    /// The process on whose stack the packet left
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The name of that process
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comm: Option<String>,
    /// True for an `invalid` packet that arrived before the hooks that report causes were attached
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub why_pending: bool,
    /// The cause, if the packet is `invalid`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// True if the line follows lines of later events: rsct sorts lines by `time_ns` and waits a moment for late ones
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

/// An entry at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Moment {
    /// The status bits that are set
    pub status: Vec<Word>,
    /// The state of a TCP, SCTP or DCCP connection
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Word>,
    /// The time until the entry expires; negative if it has expired
    pub timeout_ms: i64,
}

/// The TCP header of a packet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TcpHeader {
    /// The flags: FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128
    pub tcp_flags: u8,
    /// The sequence number
    pub seq: u32,
    /// The acknowledgement number
    pub ack: u32,
    /// The window, unscaled
    pub window: u16,
}

/// The cause of an event (`rsct why --causes` lists all causes with their meaning).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Why {
    /// The family of the cause: `invalid`, `delete`, `full`, …
    pub cause_family: Word,
    /// The name of the cause
    pub cause: Word,
    /// The kernel's own words, as in its source (`%u` stands for a number); with a drop, its reason and the place in the kernel
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The bound that a TCP segment missed
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_of_window: Option<OutOfWindow>,
    /// The functions that called for a delete, the innermost first
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub callers: Vec<String>,
}

/// An event of an entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct EntryEvent {
    /// The type of the line
    pub r#type: tag::Entry,
    /// The event: `insert` (in the table from now on), `confirm` (its first packet was accepted), `check_insert` (made through ctnetlink or by a BPF program), `refresh` (its timeout was set outside a packet's traversal), `change_timeout` (through ctnetlink or by a BPF program), `delete`, `destroy` (the last reference is dropped), or `alloc_failed` (no entry could be allocated)
    pub event: Word,
    /// The time when the operation began, on the monotonic clock
    pub time_ns: u64,
    /// The CPU
    pub cpu: u16,
    /// The inode number of the network namespace
    pub netns: u64,
    /// The entry's address; the kernel reuses it as soon as the entry is destroyed
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ct: Option<String>,
    /// The time when the entry was allocated or first seen, on the monotonic clock; with `ct` it identifies the entry
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth_ns: Option<u64>,
    /// The flow's number in this trace
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<u64>,
    /// The source that knows the flow: `dump`, `probe` or `both`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_from: Option<Word>,
    /// The original direction
    pub orig: Tuple,
    /// The reply direction
    pub reply: Tuple,
    /// The zone
    pub zone: u16,
    /// The mark
    pub mark: u32,
    /// The entry when the operation began
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Moment>,
    /// The return value of the function: a verdict, 1 or 0, or a negative errno
    #[serde(skip_serializing_if = "Option::is_none")]
    pub returned: Option<i64>,
    /// The entry when the operation ended
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Moment>,
    /// The duration of the operation
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ns: Option<u64>,
    /// The kind of a `delete`: `expired`, `netlink`, `early` (neither) or `dying_already` (another delete was first)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Word>,
    /// The sender of the netlink request for a `delete`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester: Option<Requester>,
    /// With `destroy`: the time since `birth_ns`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime_ns: Option<u64>,
    /// With `refresh`: the requested timeout
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_ms: Option<u64>,
    /// True for a `confirm` after which the packet has another entry
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clash: bool,
    /// The process on whose stack the operation ran
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The name of that process
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comm: Option<String>,
    /// The cause of a `delete`, or of `alloc_failed`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<Why>,
    /// True if the line follows lines of later events
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

/// A cause that belongs to no packet and no event with a line of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct CauseAlone {
    /// The type of the line
    pub r#type: tag::Cause,
    /// The time on the monotonic clock
    pub time_ns: u64,
    /// The CPU
    pub cpu: u32,
    /// The inode number of the network namespace
    pub netns: u64,
    /// The flow's original direction, if it is known
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orig: Option<Tuple>,
    /// The process
    #[serde(flatten)]
    pub task: Option<Task>,
    /// The cause
    pub why: Why,
    /// True if the line follows lines of later events
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

/// Records were lost; printed at once.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct TraceLoss {
    /// The type of the line
    pub r#type: tag::Loss,
    /// The records lost since the last such line
    pub lost: u64,
    /// The records lost since the beginning
    pub lost_total: u64,
    /// All losses since the beginning, by CPU and kind
    pub losses: Vec<Loss>,
}

/// The kernel stopped or resumed running the attached programs, or that could not be tested. Before `started`, rsct
/// proves that the kernel runs them (a kernel with `kernel.ftrace_enabled=0` attaches programs and runs none), and ends
/// with exit status 1 if it does not. It repeats the proof once a second and at the end, unless records have arrived.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct Programs {
    /// The type of the line
    pub r#type: tag::Programs,
    /// The time when rsct found it, on the monotonic clock
    pub time_ns: u64,
    /// True if the kernel runs the attached programs; absent if the test failed
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<bool>,
    /// The reason for doubt; absent if `run` is true
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Hooks have not fired, although a dump of the one traced namespace shows entries that they should have reported.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct UnfiredHooks {
    /// The type of the line
    pub r#type: tag::Unfired,
    /// The time when rsct found it, on the monotonic clock
    pub time_ns: u64,
    /// The functions whose hooks have not fired
    pub functions: &'static [&'static str],
    /// The number of entries that appeared in the table, or left it, without a record
    pub entries: usize,
}

/// A flow known at the end (`--table`), or a difference between the two sources (`--differences`).
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Flow {
    /// The flow's number in this trace
    pub flow: u64,
    /// The source that knows the flow: `dump`, `probe` or `both`
    pub known_from: Word,
    /// The inode number of the network namespace
    pub netns: u64,
    /// The zone
    pub zone: u16,
    /// The mark
    pub mark: u32,
    /// Its entry
    #[serde(flatten)]
    pub entry: FlowEntry,
}

/// The entry of a flow, as far as rsct knows it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct FlowEntry {
    /// The original direction
    pub orig: Tuple,
    /// The reply direction, if it is known
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Tuple>,
    /// The status bits that are set
    pub status: Vec<Word>,
    /// The state of a TCP, SCTP or DCCP connection
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Word>,
    /// The time until the entry expires; absent if it is unknown or the entry was deleted
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u64>,
}

impl FlowEntry {
    /// The entry of this flow.
    pub(crate) fn of(flow: &flow::Flow, now_ns: u64) -> Self {
        Self {
            orig: flow.orig.into(),
            reply: flow.reply_known.then(|| flow.reply.into()),
            status: status_names(flow.status),
            state: state_name(flow.orig_tuple().protonum, flow.state),
            timeout_s: flow.left_s(now_ns),
        }
    }
}

/// A flow known at the end. Only with `--table`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct KnownFlow {
    /// The type of the line
    pub r#type: tag::Flow,
    /// The flow
    #[serde(flatten)]
    pub known: Flow,
}

/// A difference between the two sources. Only with `--differences`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct Difference {
    /// The type of the line
    pub r#type: tag::Difference,
    /// The difference: `only_in_dump`, `only_from_probe` or `status`
    pub difference: Word,
    /// The flow
    #[serde(flatten)]
    pub known: Flow,
}

/// The last line.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct Summary {
    /// The type of the line
    pub r#type: tag::Summary,
    /// The duration of the trace
    pub elapsed_ns: u64,
    /// The number of records of packets
    pub packets: u64,
    /// The number of records of entries
    pub entry_events: u64,
    /// The number of entries inserted into the table
    pub inserted: u64,
    /// The number of entries deleted from the table
    pub deleted: u64,
    /// The number of packets whose outcome was `invalid`
    pub invalid: u64,
    /// The number of packets whose outcome was `dropped`
    pub dropped: u64,
    /// The number of packets recorded without their duration or their entry before
    pub incomplete: u64,
    /// The number of flows at the end that only a dump knows
    pub flows_from_dump: usize,
    /// The number of flows at the end that only the probes know
    pub flows_from_probe: usize,
    /// The number of flows at the end that both know
    pub flows_from_both: usize,
    /// The number of dumps
    pub dumps: u32,
    /// The number of lost records, skipped and malformed ones included
    pub lost_total: u64,
    /// Skipped runs and malformed records
    #[serde(flatten)]
    pub skips: Skips,
    /// The number of lost causes, skipped ones included
    pub causes_lost: u64,
    /// True if the kernel does not count skips for the hooks that report causes
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub causes_lost_uncounted: bool,
    /// Why records may be missing that nothing counts; absent if there is no reason for doubt
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unproven: Option<Unproven>,
    /// The functions whose hooks have not fired although they should have
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unfired: Vec<&'static str>,
    /// The number of differences between the two sources, by name
    pub differences: Map<usize>,
    /// With `--netns all`: namespaces that the probes met and that rsct cannot reach. They were not dumped, and count as no difference
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreached: Vec<Unreached>,
    /// All losses, by CPU and kind
    pub losses: Vec<Loss>,
}

/// A namespace that rsct cannot reach.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Unreached {
    /// The inode number of the network namespace
    pub netns: u64,
    /// The number of flows that the probes know in it
    pub flows: usize,
}
