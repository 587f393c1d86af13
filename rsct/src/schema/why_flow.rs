//! The answers of `rsct why unreplied` and `rsct why FLOW`.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    common::{IcmpError, InNetns, Map, Tuple, Word},
    tag,
    trace::FlowEntry,
    with_host,
};

/// An UNREPLIED entry, those with most packets first. Only with `rsct why unreplied`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct Unreplied {
    /// The type of the line
    pub r#type: tag::Unreplied,
    /// The namespace
    #[serde(flatten)]
    pub netns: InNetns,
    /// The zone
    pub zone: u16,
    /// Its state at the end
    #[serde(flatten)]
    pub entry: FlowEntry,
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
    /// The conclusion
    #[serde(flatten)]
    pub no_reply: NoReply,
}

/// The last line of `rsct why unreplied`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct UnrepliedSummary {
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
pub(crate) struct Seen {
    /// Their role for the entry: `request`, `reply`, `refused` (its own, INVALID or dropped, in an unknown direction), `icmp_error`, `icmp_redirect` (the packet was forwarded all the same), `reply_not_taken` (conntrack does not match the reply to the entry), `reply_from_another_end` (a reply from another address or port than the request's destination), `request_elsewhere` or `reply_elsewhere` (in another namespace, or as packets of another entry)
    pub role: Word,
    /// The namespace
    #[serde(flatten)]
    pub netns: InNetns,
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
#[schemars(transform = with_host)]
pub(crate) struct FlowEnd {
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
pub(crate) struct NoReply {
    /// The conclusion, see [Why an entry is UNREPLIED](#why-an-entry-is-unreplied)
    pub conclusion: Word,
    /// The conclusion in a sentence
    pub explanation: String,
    /// The advice
    pub advice: Word,
}
