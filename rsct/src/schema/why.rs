//! The answers of `rsct why`.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    common::{HookCounts, IcmpError, Loss, Map, OutOfWindow, Requester, Step, Tuple, Unproven, Word},
    tag,
};

/// All hooks are attached: every cause from now on is counted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct WhyStarted {
    /// The type of the line
    pub r#type: tag::Started,
    /// Attached hooks by form
    pub hook_counts: HookCounts,
}

/// The answer of `rsct why` without a topic and of the topics that count causes.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(rename = "WhyAnswer")]
pub struct Answer<'a> {
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
    /// How often the kernel did not run a program because one was running already
    pub skipped: u64,
    /// True if hooks are attached by kprobe and this kernel does not count skips for them
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub skips_uncounted: bool,
    /// The number of records that rsct could not decode: it must be 0
    pub malformed: u64,
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
pub struct Comparison<'a> {
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
pub struct CauseCount<'a> {
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
pub struct NamespaceCount {
    /// The inode number of the network namespace
    pub netns: u64,
    /// The namespace's name, if it has one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns_name: Option<String>,
    /// How often the cause was met there
    pub count: u64,
}

/// A place in the kernel, and how often a cause was met there.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct PlaceCount<'a> {
    /// The place
    pub place: &'a str,
    /// How often the cause was met there
    pub count: u64,
}

/// A flow, and how often a cause was met with it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FlowCount {
    /// The inode number of the network namespace
    pub netns: u64,
    /// The namespace's name, if it has one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns_name: Option<String>,
    /// The zone
    pub zone: u16,
    /// The original direction
    pub orig: Tuple,
    /// How often the cause was met with it
    pub count: u64,
}

/// An interface and a hook, and how often a cause was met there.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct InterfaceCount {
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
pub struct TaskCount {
    /// The process
    pub pid: u32,
    /// Its name
    pub comm: String,
    /// How often the cause was met in it
    pub count: u64,
}

/// The spread of a number.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Spread {
    /// The least value
    pub min: u64,
    /// The median
    pub median: u64,
    /// The greatest value
    pub max: u64,
}

/// A search of NAT for a free tuple.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Search {
    /// The inode number of the network namespace
    pub netns: u64,
    /// The namespace's name, if it has one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns_name: Option<String>,
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
pub struct Got {
    /// The address
    pub address: String,
    /// The port
    pub port: u16,
}

/// A listener that did not receive events, and how many.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ListenerCount<'a> {
    /// The inode number of the network namespace
    pub netns: u64,
    /// The namespace's name, if it has one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns_name: Option<String>,
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
pub struct Example {
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
    /// The process on whose stack it happened
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The name of that process
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comm: Option<String>,
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
pub struct Rival {
    /// The original direction
    pub orig: Tuple,
    /// The reply direction
    pub reply: Tuple,
}

/// The table of a namespace. Only with `rsct why full`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Table<'a> {
    /// The type of the line
    pub r#type: tag::Table,
    /// The inode number of the network namespace
    pub netns: u64,
    /// The namespace's name, if it has one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns_name: Option<&'a str>,
    /// The number of entries in the table
    pub entries: u32,
    /// The value of `net.netfilter.nf_conntrack_max` (Linux 4.18 on)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_entries: Option<u32>,
    /// The number of entries that rsct read and that match the filter
    pub read: u64,
    /// The number of read entries without a reply
    pub unreplied: u64,
    /// The number of read entries that are ASSURED
    pub assured: u64,
    /// The most frequent sources
    pub sources: Vec<SourceCount>,
    /// The most frequent destinations
    pub services: Vec<ServiceCount>,
    /// The most frequent states
    pub states: Vec<StateCount>,
    /// The most frequent zones
    pub zones: Vec<ZoneCount>,
}

/// A source, and how many entries have it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SourceCount {
    /// The source address
    pub src: String,
    /// The number of entries
    pub count: u64,
}

/// A destination, and how many entries have it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ServiceCount {
    /// The protocol's name, if conntrack has one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proto: Option<Word>,
    /// The protocol's number
    pub protonum: u8,
    /// The destination address
    pub dst: String,
    /// The destination port; 0 if the protocol has no ports
    pub dport: u16,
    /// The number of entries
    pub count: u64,
}

/// A state, and how many entries are in it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct StateCount {
    /// The protocol's name, if conntrack has one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proto: Option<Word>,
    /// The protocol's number
    pub protonum: u8,
    /// The state, if the protocol has states
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Word>,
    /// The number of entries
    pub count: u64,
}

/// A zone, and how many entries are in it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ZoneCount {
    /// The zone
    pub zone: u16,
    /// The number of entries
    pub count: u64,
}

/// An UNREPLIED entry, those with most packets first. Only with `rsct why unreplied`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Unreplied {
    /// The type of the line
    pub r#type: tag::Unreplied,
    /// The inode number of the network namespace
    pub netns: u64,
    /// The namespace's name, if it has one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns_name: Option<String>,
    /// The zone
    pub zone: u16,
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
    /// The time until the entry expires; absent if it was deleted
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u64>,
    /// The kind of the entry's delete; absent if it is still in the table
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Word>,
    /// The number of its packets in the original direction, each counted once
    pub requests: u64,
    /// The number of its packets in the reply direction, each counted once
    pub replies: u64,
    /// The time of the last of them, on the monotonic clock
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_ns: Option<u64>,
    /// The packets that concern the entry
    pub seen: Vec<Seen>,
    /// The conclusion, see [Why an entry is UNREPLIED](#why-an-entry-is-unreplied)
    pub conclusion: Word,
    /// The conclusion in a sentence
    pub explanation: String,
    /// The advice
    pub advice: Word,
}

/// The last line of `rsct why unreplied`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct UnrepliedSummary {
    /// The type of the line
    pub r#type: tag::WhyUnreplied,
    /// The number of UNREPLIED entries
    pub unreplied: usize,
    /// The number of entries with a line of their own
    pub listed: usize,
    /// The number of entries by conclusion
    pub conclusions: Map<usize>,
    /// The number of entries that ended without a reply and were too many to keep
    pub more_ended: u64,
    /// The duration of the watch
    pub elapsed_ns: u64,
    /// The number of lost records
    pub lost_total: u64,
    /// The number of packets that were of too many kinds to be counted separately
    pub unkept: u64,
}

/// Packets that differ in nothing but their time.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Seen {
    /// Their role for the entry: `request`, `reply`, `refused` (its own, INVALID or dropped, in an unknown direction), `icmp_error`, `icmp_redirect` (the packet was forwarded all the same), `reply_not_taken` (conntrack does not match the reply to the entry), `reply_from_another_end` (a reply from another address or port than the request's destination), `request_elsewhere` or `reply_elsewhere` (in another namespace, or as packets of another entry)
    pub role: Word,
    /// The inode number of the network namespace
    pub netns: u64,
    /// The namespace's name, if it has one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns_name: Option<String>,
    /// The netfilter hook
    pub hook: Word,
    /// The interface's number
    pub ifindex: u32,
    /// The interface's name, if it is known
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The outcome, as of a packet; `tracked` if the first was `created` and others were `tracked`
    pub outcome: Word,
    /// The zone of their entry
    pub zone: u16,
    /// The number of their flow in this watch, if they have an entry
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flow: Option<u64>,
    /// The ICMP error that they are
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp: Option<IcmpError>,
    /// Their own headers, which NAT may have changed; absent if conntrack refused them
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<Tuple>,
    /// Their number
    pub packets: u64,
    /// The time of the first, on the monotonic clock
    pub first_ns: u64,
    /// The time of the last, on the monotonic clock
    pub last_ns: u64,
}

/// The end of an entry, or of a flow without one. Only with `rsct why FLOW`, one for each entry of the flow.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FlowEnd {
    /// The type of the line
    pub r#type: tag::WhyFlow,
    /// The inode number of the network namespace; absent if there is no entry
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<u64>,
    /// The namespace's name, if it has one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns_name: Option<String>,
    /// The zone; absent if there is no entry
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<u16>,
    /// The entry's original direction, or the FLOW of the command line
    pub orig: Tuple,
    /// The time until the entry expires, if it is in the table
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u32>,
    /// The packets that concern the flow; without an entry, `request` is the direction of the command line
    pub seen: Vec<Seen>,
    /// The conclusion: `alive`, `offloaded` (its packets bypass conntrack), `unreplied`, `deleted`, `ran_out` (its timeout is over, and it is not reaped yet), `gone` (no record reported its end), `not_confirmed` (packets were dropped before their entry was in the table), `invalid`, `untracked`, `dropped` (the outcome of its packets, which had no entry), `elsewhere` (only in another namespace or zone), `never_seen`
    pub conclusion: Word,
    /// The conclusion in a sentence
    pub explanation: String,
    /// With `offloaded`: `software` (status OFFLOAD, a flowtable) or `hardware` (HW_OFFLOAD, a network device)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offload: Option<Word>,
    /// With `deleted`: the kind of the delete: `expired`, `netlink`, `early` or `dying_already`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<Word>,
    /// With the kind `early`: the cause, as in `rsct why --causes`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<Word>,
    /// The process on whose stack it was deleted
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The name of that process
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comm: Option<String>,
    /// With `unreplied`: why there is no reply
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_reply: Option<NoReply>,
    /// The advice
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<Word>,
}

/// Why an entry has no reply.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct NoReply {
    /// The conclusion, see [Why an entry is UNREPLIED](#why-an-entry-is-unreplied)
    pub conclusion: Word,
    /// The conclusion in a sentence
    pub explanation: String,
    /// The advice
    pub advice: Word,
}

/// A hook that this kernel lacks or refuses.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Unseen<'a> {
    /// The kernel function
    pub function: &'a str,
    /// The facts that only this hook reports
    pub shows: &'a str,
    /// The reason
    pub reason: &'a str,
}
