//! The answer of `rsct why` and of its topics that count causes.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    common::{
        HookCounts, InNetns, Loss, Map, OutOfWindow, Requester, Skips, Step, Task, Tuple, Unproven, Word,
    },
    tag, with_host,
};

/// All hooks are attached: every cause from now on is counted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct WhyStarted {
    /// The type of the line
    pub r#type: tag::Started,
    /// Attached hooks by form
    pub hook_counts: HookCounts,
}

/// The answer of `rsct why` without a topic and of the topics that count causes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "WhyAnswer")]
#[schemars(transform = with_host)]
pub(crate) struct Answer<'a> {
    /// The type of the line
    pub r#type: tag::Why,
    /// The topic: `invalid`, `delete`, …; `all` without one
    pub topic: &'a str,
    /// The duration of the watch
    pub elapsed_ns: u64,
    /// The number of all causes, counted in the kernel: correct even if records were lost
    pub count: u64,
    /// True if a filter narrows the answer; then it cannot be compared with the kernel's counters
    pub filtered: bool,
    /// Comparisons with the kernel's own counters
    pub comparisons: Vec<Comparison<'a>>,
    /// The causes, the most frequent first
    pub causes: Vec<CauseCount<'a>>,
    /// All losses by kind
    pub losses: Vec<Loss>,
    /// Skipped runs and malformed records
    #[serde(flatten)]
    pub skips: Skips,
    /// The hooks that this kernel lacks or refuses
    pub unseen: Vec<Unseen<'a>>,
    /// Why causes may be missing that nothing counts; absent if there is no reason for doubt
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unproven: Option<Unproven>,
}

/// A comparison of rsct's count with counters of the kernel. `insert`, `nat`, `lost` and `drop` compare with
/// `insert_failed`, `clash_resolve`, `chaintoolong`, `drop` and `found`, and with `netlink_drops`: the drops in
/// /proc/net/netlink of the sockets that listen to conntrack's events at the end.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Comparison<'a> {
    /// The compared quantity
    pub what: &'a str,
    /// The number counted by rsct
    pub counted: u64,
    /// The growth of each of the kernel's counters
    pub kernel_counters: Map<u64>,
    /// True if the kernel's counters also count something else, so that they may be larger
    pub others_too: bool,
    /// True if the two agree; absent if one side could not count
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agree: Option<bool>,
    /// The reason why one side could not count
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
}

/// A cause, and how often it was met.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct CauseCount<'a> {
    /// The name of the cause, as in `rsct why --causes`
    pub cause: &'a str,
    /// The meaning
    pub meaning: &'a str,
    /// The advice
    pub advice: &'a str,
    /// How often it was met, counted in the kernel
    pub count: u64,
    /// How often it was met in a second
    pub per_second: f64,
    /// The number of records of it. Flows, interfaces and tasks are counted from these records
    pub recorded: u64,
    /// The namespaces where it was met, counted in the kernel
    pub namespaces: Vec<NamespaceCount>,
    /// The kernel's own words, or the callers of a delete, the innermost first; counted in the kernel
    pub places: Vec<PlaceCount<'a>>,
    /// The most frequent flows (`--top`)
    pub top_flows: Vec<FlowCount>,
    /// The most frequent interfaces and hooks (`--top`)
    pub interfaces: Vec<InterfaceCount>,
    /// The most frequent processes (`--top`)
    pub tasks: Vec<TaskCount>,
    /// The distances by which TCP segments missed their windows
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missed_bytes_spread: Option<Spread>,
    /// With `nat`: searches by the number of tuples that they tried, counted in the kernel
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attempts_histogram: Vec<Step>,
    /// With `nat`: searches by duration in nanoseconds, counted in the kernel
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub duration_ns_histogram: Vec<Step>,
    /// With `nat`: the longest searches
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub longest: Vec<Search>,
    /// With `lost`: the listeners that did not receive events
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub listeners: Vec<ListenerCount<'a>>,
    /// The first record
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Box<Example>>,
}

/// A namespace, and how often a cause was met in it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct NamespaceCount {
    /// The namespace
    #[serde(flatten)]
    pub netns: InNetns,
    /// How often the cause was met there
    pub count: u64,
}

/// A place in the kernel, and how often a cause was met there.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct PlaceCount<'a> {
    /// The place
    pub place: &'a str,
    /// How often the cause was met there
    pub count: u64,
}

/// A flow, and how often a cause was met with it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct FlowCount {
    /// The namespace
    #[serde(flatten)]
    pub netns: InNetns,
    /// The zone
    pub zone: u16,
    /// The original direction
    pub orig: Tuple,
    /// How often the cause was met with it
    pub count: u64,
}

/// An interface and a hook, and how often a cause was met there.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct InterfaceCount {
    /// The inode number of the network namespace
    pub netns: u64,
    /// The interface's number
    pub ifindex: u32,
    /// The interface's name, if it is known
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The netfilter hook
    pub hook: Word,
    /// How often the cause was met there
    pub count: u64,
}

/// A process, and how often a cause was met in it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct TaskCount {
    /// The process
    #[serde(flatten)]
    pub task: Task,
    /// How often the cause was met in it
    pub count: u64,
}

/// The spread of a number.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Spread {
    /// The least value
    pub min: u64,
    /// The median
    pub median: u64,
    /// The greatest value
    pub max: u64,
}

/// A search of NAT for a free tuple.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Search {
    /// The namespace
    #[serde(flatten)]
    pub netns: InNetns,
    /// The original direction after the search
    pub orig: Tuple,
    /// The reply direction after the search
    pub reply: Tuple,
    /// The part that is translated: `source` or `destination`
    pub changes: Word,
    /// The number of tuples tried
    pub attempts: u32,
    /// The number of tried tuples that were in use
    pub taken: u32,
    /// The duration of the search
    pub duration_ns: u64,
    /// The flags of the rule that are set
    pub flags: Vec<Word>,
    /// The address and port that the search ended with
    pub got: Got,
    /// The first address that the rule allows, if it names addresses
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_min: Option<String>,
    /// The last address that the rule allows, if it names addresses
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_max: Option<String>,
    /// The first port that the rule allows, if it names ports
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_min: Option<u16>,
    /// The last port that the rule allows, if it names ports
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_max: Option<u16>,
}

/// The result of a search.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Got {
    /// The address
    pub address: String,
    /// The port
    pub port: u16,
}

/// A listener that did not receive events, and how many.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ListenerCount<'a> {
    /// The namespace
    #[serde(flatten)]
    pub netns: InNetns,
    /// The listener's netlink port; 0 for all listeners
    pub portid: u32,
    /// The program that has the socket, if it is known
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progname: Option<&'a str>,
    /// The event: `new`, `update` or `destroy`
    pub event: String,
    /// The number of events
    pub count: u64,
}

/// The first record of a cause.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Example {
    /// The time on the monotonic clock
    pub time_ns: u64,
    /// The CPU
    pub cpu: u32,
    /// The inode number of the network namespace
    pub netns: u64,
    /// The original direction. With `insert`, of a clash: that of the entry that was second
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orig: Option<Tuple>,
    /// The reply direction
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<Tuple>,
    /// The interface's number
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ifindex: Option<u32>,
    /// The netfilter hook
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook: Option<Word>,
    /// The flags of the TCP header
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_flags: Option<u8>,
    /// The status bits that are set
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Vec<Word>>,
    /// The state of a TCP, SCTP or DCCP connection
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Word>,
    /// The time until the entry expires; negative if it has expired
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<i64>,
    /// The process
    #[serde(flatten)]
    pub task: Option<Task>,
    /// The sender of the netlink request
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester: Option<Requester>,
    /// With `insert`, of a clash: the entry that was first
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clashed_with: Option<Rival>,
    /// The functions of the kernel's stack, the innermost first
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stack: Vec<String>,
    /// The bound that a TCP segment missed
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_of_window: Option<OutOfWindow>,
}

/// The entry that was first in a clash.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Rival {
    /// The original direction
    pub orig: Tuple,
    /// The reply direction
    pub reply: Tuple,
}

/// A hook that this kernel lacks or refuses.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Unseen<'a> {
    /// The kernel function
    pub function: &'a str,
    /// The facts that only this hook reports
    pub shows: &'a str,
    /// The reason
    pub reason: &'a str,
}
