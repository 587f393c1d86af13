//! Entries of the conntrack table, as ctnetlink reports them. `render/json.rs` writes them without these structs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    common::{Requester, Tuple, Word},
    with_host,
};

/// An entry of the conntrack table, and with `rsct watch` the event that it had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct Entry {
    /// The event: `new`, `update`, `destroy`, or `sync` for an entry that is listed after a loss. Only with `rsct watch`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Word>,
    /// The kernel's time of the event, since the epoch (Linux 6.14 on, with `net.netfilter.nf_conntrack_timestamp`)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_ns: Option<u64>,
    /// The sender of the netlink request that caused the event
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester: Option<Requester>,
    /// The inode number of the network namespace. Only with `--netns`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns: Option<u64>,
    /// The namespace's name under /run/netns, else the path where it is mounted; absent if it has neither
    #[serde(skip_serializing_if = "Option::is_none")]
    pub netns_name: Option<String>,
    /// `ipv4` or `ipv6`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<Word>,
    /// The state of a TCP, SCTP or DCCP connection in the kernel's spelling: `ESTABLISHED`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<Word>,
    /// The time until the entry expires
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u32>,
    /// The source of the timeout. Only with `rsct list --timeout-source`, `rsct timeout why` and `rsct why FLOW`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_source: Option<TimeoutSource>,
    /// The status bits that are set, in the kernel's spelling: `EXPECTED`, `SEEN_REPLY`, `ASSURED`, `CONFIRMED`, `SRC_NAT`, `DST_NAT`, `SEQ_ADJUST`, `SRC_NAT_DONE`, `DST_NAT_DONE`, `DYING`, `FIXED_TIMEOUT`, `TEMPLATE`, `NAT_CLASH`, `HELPER`, `OFFLOAD`, `HW_OFFLOAD`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Vec<Word>>,
    /// The original direction
    pub orig: Tuple,
    /// The reply direction
    pub reply: Tuple,
    /// The mark
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<u32>,
    /// The zone, if it is of both directions and not 0
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<u16>,
    /// The number of references to the entry
    #[serde(rename = "use")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub use_count: Option<u32>,
    /// A number that no other living entry has
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// The labels that are set
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<u32>>,
    /// The names of those labels that have one in /etc/xtables/connlabel.conf
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub label_names: Vec<String>,
    /// The connection tracking helper
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helper: Option<String>,
    /// The time when the entry was confirmed, since the epoch; needs `net.netfilter.nf_conntrack_timestamp`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_ns: Option<u64>,
    /// The time when the entry was destroyed, since the epoch; needs `net.netfilter.nf_conntrack_timestamp`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_ns: Option<u64>,
    /// The security mark
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secmark: Option<u32>,
    /// The security context
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secctx: Option<String>,
    /// TCP's part of the entry
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp: Option<Tcp>,
    /// SCTP's part of the entry
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sctp: Option<Sctp>,
    /// DCCP's part of the entry
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dccp: Option<Dccp>,
    /// The adjustment of TCP sequence numbers in the original direction
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seqadj_orig: Option<SeqAdj>,
    /// The adjustment of TCP sequence numbers in the reply direction
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seqadj_reply: Option<SeqAdj>,
    /// The state of a SYN proxy
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synproxy: Option<SynProxy>,
    /// The original direction of the entry that expected this one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master: Option<Tuple>,
    /// Attributes that this version of rsct does not know
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown_attributes: Vec<UnknownAttribute>,
}

/// The source of a timeout (`docs/timeouts.md`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TimeoutSource {
    /// The setter of the timeout: `default` (the namespace), `policy`, `nftables` (a `ct timeout` object), `fixed` (packets do not change it), `user_space` (it is longer than any that a packet sets), or `unknown` (it is none of the protocol's timeouts)
    pub setter: Word,
    /// The name of the policy or of the nftables object
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// The names, if several policies have the same timeouts and the kernel does not report which one it is
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// The setting that holds the default
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sysctl: Option<String>,
    /// The state whose timeout it is, as `rsct timeout show` names it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_state: Option<Word>,
    /// The reason why the timeout is shorter than that of the entry's own state: `unacknowledged`, `retransmissions`, `zero_window`, `reset` or `picked_up`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reduction: Option<Word>,
    /// The whole timeout, if it is known
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_s: Option<u64>,
}

/// TCP's part of an entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Tcp {
    /// The window scale of the original direction
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wscale_orig: Option<u8>,
    /// The window scale of the reply direction
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wscale_reply: Option<u8>,
    /// The `IP_CT_TCP_FLAG_*` bits of the original direction
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags_orig: Option<u8>,
    /// The `IP_CT_TCP_FLAG_*` bits of the reply direction
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags_reply: Option<u8>,
}

/// SCTP's part of an entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Sctp {
    /// The verification tag of the original direction
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vtag_orig: Option<u32>,
    /// The verification tag of the reply direction
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vtag_reply: Option<u32>,
}

/// DCCP's part of an entry.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Dccp {
    /// The role of the original direction's sender: `client` or `server`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Word>,
    /// The sequence number of the handshake
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handshake_seq: Option<u64>,
}

/// The adjustment of TCP sequence numbers in one direction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SeqAdj {
    /// The sequence number at which the adjustment changed
    pub correction_pos: u32,
    /// The adjustment before it
    pub offset_before: i64,
    /// The adjustment after it
    pub offset_after: i64,
}

/// The state of a SYN proxy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SynProxy {
    /// The initial sequence number
    pub isn: u32,
    /// The initial timestamp
    pub its: u32,
    /// The offset of timestamps
    pub tsoff: u32,
}

/// An attribute that this version of rsct does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct UnknownAttribute {
    /// The attribute's number
    pub attribute: u16,
    /// The attribute's content, byte by byte
    pub payload: Vec<u8>,
}
