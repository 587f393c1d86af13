//! The table of a namespace, as `rsct why full` prints it.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    common::{InNetns, Word},
    tag, with_host,
};

/// The table of a namespace. Only with `rsct why full`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct Table {
    /// The type of the line
    pub r#type: tag::Table,
    /// The namespace
    #[serde(flatten)]
    pub netns: InNetns,
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
pub(crate) struct SourceCount {
    /// The source address
    pub src: String,
    /// The number of entries
    pub count: u64,
}

/// A destination, and how many entries have it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ServiceCount {
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
pub(crate) struct StateCount {
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
pub(crate) struct ZoneCount {
    /// The zone
    pub zone: u16,
    /// The number of entries
    pub count: u64,
}
