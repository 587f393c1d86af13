//! Expectations.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    common::{Requester, Tuple, WithNetns, Word},
    entry::UnknownAttribute,
};

/// An expectation, and with `rsct expect watch` the event that it had.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Expectation<'a> {
    /// The event: `new`, or `destroy` (it was matched, expired or deleted, or its master was destroyed). Only with `rsct expect watch`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<&'a str>,
    /// The time when rsct read the event, since the epoch; the kernel does not report the time of the event itself. Only with `rsct expect watch`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_ns: Option<u64>,
    /// The sender of the netlink request that caused the event; absent if a packet or the timeout caused it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester: Option<Requester>,
    /// The namespace
    #[serde(flatten)]
    pub netns: WithNetns<'a>,
    /// `ipv4` or `ipv6`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<Word>,
    /// The time until the expectation expires
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u32>,
    /// The first packet of the expected connection
    pub tuple: Tuple,
    /// The bits of that packet's addresses that are compared. The kernel always compares the whole destination
    pub mask: Mask,
    /// The original direction of the master, the connection that announced the expected one
    pub master: Tuple,
    /// The zone; no kernel reports it yet
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<u16>,
    /// The flags that are set: `PERMANENT` (it stays after a match), `INACTIVE` (it does not match), `USERSPACE` (a helper in user space made it)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flags: Option<Vec<Word>>,
    /// The number of the helper's policy that the expectation is under
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<u32>,
    /// The master's helper
    #[serde(skip_serializing_if = "Option::is_none")]
    pub helper: Option<String>,
    /// The name of the function that the kernel calls for the expected connection: `nat-follow-master`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect_function: Option<String>,
    /// The translation of the expected connection
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nat: Option<Nat>,
    /// A number that no other living expectation has
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u32>,
    /// Attributes that this version of rsct does not know
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown_attributes: Vec<UnknownAttribute>,
}

/// The bits of a packet's addresses that are compared.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Mask {
    /// The bits of the source address
    pub src: String,
    /// The bits of the destination address
    pub dst: String,
    /// The bits of the source port, if the protocol has ports
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sport: Option<u16>,
    /// The bits of the destination port, if the protocol has ports
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dport: Option<u16>,
    /// The bits of the type, with ICMP and ICMPv6
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_type: Option<u8>,
    /// The bits of the code, with ICMP and ICMPv6
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_code: Option<u8>,
    /// The bits of the id, with ICMP and ICMPv6
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icmp_id: Option<u16>,
    /// The bits of the key of packets to the destination, with GRE
    #[serde(skip_serializing_if = "Option::is_none")]
    pub srckey: Option<u16>,
    /// The bits of the key of packets from the destination, with GRE
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dstkey: Option<u16>,
}

impl From<Tuple> for Mask {
    fn from(tuple: Tuple) -> Self {
        Self {
            src: tuple.src,
            dst: tuple.dst,
            sport: tuple.sport,
            dport: tuple.dport,
            icmp_type: tuple.icmp_type,
            icmp_code: tuple.icmp_code,
            icmp_id: tuple.icmp_id,
            srckey: tuple.srckey,
            dstkey: tuple.dstkey,
        }
    }
}

/// The translation of an expected connection.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Nat {
    /// The direction of the master in which the expected connection is opened: `orig` or `reply`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dir: Option<Word>,
    /// The tuple that the helper overwrote: the source is the one that the peer received at first
    pub tuple: Tuple,
}
