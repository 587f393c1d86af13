//! Counts, counters, timeouts, policies, rules and settings.

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    common::{Map, Tuple, WithNetns, Word},
    tag, with_host,
};

/// The number of entries of a namespace.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Count<'a> {
    /// The version of the schema
    pub schema: u32,
    /// The namespace
    #[serde(flatten)]
    pub netns: WithNetns<'a>,
    /// The number of entries
    pub entries: u32,
    /// The value of `net.netfilter.nf_conntrack_max` in this namespace (Linux 4.18 on). Not with a filter
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_entries: Option<u32>,
}

/// The kernel's counters of a namespace.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Stats<'a> {
    /// The namespace
    #[serde(flatten)]
    pub netns: WithNetns<'a>,
    /// The measured time since the last reading; absent in a namespace's first
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_s: Option<f64>,
    /// The counters by CPU
    pub cpus: Vec<CpuStats>,
    /// The counters of all CPUs together
    pub total: TotalStats,
}

/// The counters of a CPU.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct CpuStats {
    /// The CPU
    pub cpu: u16,
    /// Each counter's value since the namespace was made: 32 bits that wrap around. The names are those of `conntrack -S`, explained in `rsct stats --help`; a counter that this version of rsct does not know is `counter` with its attribute's number
    pub counters: Map<u64>,
    /// Each counter's growth since the last reading; absent in a namespace's first
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_per_second: Option<Map<f64>>,
}

/// The counters of all CPUs.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct TotalStats {
    /// Each counter's value since the namespace was made
    pub counters: Map<u64>,
    /// Each counter's growth since the last reading; absent in a namespace's first
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth_per_second: Option<Map<f64>>,
}

/// The timeout of a state.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct TimeoutValue<'a> {
    /// The namespace
    #[serde(flatten)]
    pub netns: WithNetns<'a>,
    /// The protocol's name; `generic` stands for all that the kernel has no handler for
    pub proto: &'a str,
    /// The protocol's number; 255 for `generic`
    pub protonum: u8,
    /// The state, as `rsct timeout set` names it
    pub timeout_state: &'a str,
    /// The timeout in force
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_s: Option<u32>,
    /// The kernel's own default, if it could be measured
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_s: Option<u32>,
    /// True if the timeout differs from the default; absent if the default is unknown
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
    /// The number of entries in the state; absent for reductions, which entries do not show
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
    /// The setting that holds the timeout, if there is one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sysctl: Option<String>,
    /// The meaning of the state
    pub meaning: &'a str,
}

/// A timeout that was set, or that changed with another.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct TimeoutChange<'a> {
    /// The namespace
    #[serde(flatten)]
    pub netns: WithNetns<'a>,
    /// The protocol's name
    pub proto: &'a str,
    /// The protocol's number
    pub protonum: u8,
    /// The state
    pub timeout_state: &'a str,
    /// The timeout before, if it is known
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_before_s: Option<u32>,
    /// The timeout now
    pub value_s: u32,
}

/// A timeout policy that is listed, made, changed or deleted.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Policy<'a> {
    /// The namespace
    #[serde(flatten)]
    pub netns: WithNetns<'a>,
    /// The policy's name
    pub policy: String,
    /// `ipv4` or `ipv6`; absent for any other family
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<Word>,
    /// The number of any other family
    #[serde(skip_serializing_if = "Option::is_none")]
    pub l3proto: Option<u16>,
    /// The protocol's name, if rsct knows it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proto: Option<Word>,
    /// The protocol's number
    pub protonum: u8,
    /// The number of iptables rules that use the policy; absent if that is unknown
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<usize>,
    /// The kernel's own count of users: rules, and on newer kernels flows (`docs/timeouts.md`)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    /// The number of flows under the policy; absent if no probe could be attached
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flows: Option<u64>,
    /// The timeout of each state
    pub values_s: Map<u32>,
}

/// A rule that attaches a timeout policy.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Rule<'a> {
    /// The namespace
    #[serde(flatten)]
    pub netns: WithNetns<'a>,
    /// The name of the policy; with `nft` that of nftables' own timeout
    pub policy: &'a str,
    /// The names that the policy may have, if the kernel shows only the first letters and several begin with them
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<&'a str>,
    /// The maker of the rule: `rsct` or `others`
    pub made_by: &'a str,
    /// The program that shows the rule: `iptables`, `ip6tables` or `nft`
    pub tool: &'a str,
    /// `ipv4` or `ipv6`; absent in nftables' tables for both
    #[serde(skip_serializing_if = "Option::is_none")]
    pub family: Option<Word>,
    /// The table
    pub table: &'a str,
    /// The chain
    pub chain: &'a str,
    /// The netfilter hook of the chain, if it has one: `PRE_ROUTING` or `LOCAL_OUT`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hook: Option<Word>,
    /// The rule, as a command
    pub rule: String,
    /// The flows that the rule matches; absent if it has a condition that rsct does not know
    #[serde(rename = "match")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matching: Option<Match<'a>>,
}

/// The flows that a rule matches.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Match<'a> {
    /// The protocol's name, if conntrack has one
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proto: Option<Word>,
    /// The protocol's number
    pub protonum: u8,
    /// The source network
    #[serde(skip_serializing_if = "Option::is_none")]
    pub src_prefix: Option<String>,
    /// The destination network
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dst_prefix: Option<String>,
    /// The first source port
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sport_min: Option<u16>,
    /// The last source port
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sport_max: Option<u16>,
    /// The first destination port
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dport_min: Option<u16>,
    /// The last destination port
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dport_max: Option<u16>,
    /// The interface on which packets arrive
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_interface: Option<&'a str>,
    /// The interface on which packets leave
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out_interface: Option<&'a str>,
}

/// A histogram of the time until entries expire. The listed entries follow.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Expiring<'a> {
    /// The type of the line
    pub r#type: tag::Expiring,
    /// The namespace
    #[serde(flatten)]
    pub netns: WithNetns<'a>,
    /// The number of entries that match the filter
    pub entries: u64,
    /// The number of entries without a timeout, because a flow table has their flow
    pub without_timeout: u64,
    /// The entries by the time until they expire
    pub buckets: Vec<ExpiringBucket>,
}

/// Entries with a similar time until they expire.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ExpiringBucket {
    /// The least time
    pub from_s: u32,
    /// The first time beyond the bucket; absent in the last
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_s: Option<u32>,
    /// The number of entries
    pub entries: u64,
    /// The same by state, the most frequent first
    pub by_state: Vec<ExpiringState>,
}

/// Entries in one state.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct ExpiringState {
    /// The protocol's name; absent if rsct does not know the state
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proto: Option<Word>,
    /// The protocol's number; absent if rsct does not know the state
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protonum: Option<u8>,
    /// The state, as `rsct timeout show` names it; absent if rsct does not know it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_state: Option<Word>,
    /// The number of entries
    pub entries: u64,
}

/// The fate of a flow with the timeouts that are tried.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(crate) enum Fate {
    /// Its entry would have expired before its next packet
    CutOff,
    /// Its entry would have expired, and no packet has come since
    Expired,
    /// Its entry expired, and would still exist
    LivedOn,
}

/// A flow whose fate would be another with the timeouts that are tried.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct WhatIfFlow {
    /// The fate: `cut_off` (its entry would have expired before its next packet), `expired` (its entry would have expired, and no packet has come since) or `lived_on` (its entry expired, and would still exist)
    pub r#type: Fate,
    /// The time on the monotonic clock; with `cut_off` that of the first cut
    pub time_ns: u64,
    /// The inode number of the network namespace
    pub netns: u64,
    /// The zone
    pub zone: u16,
    /// The original direction
    pub orig: Tuple,
    /// With `cut_off`: the time from the entry's end to the next packet
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_ms: Option<u64>,
    /// With `expired`: the time since the entry's end
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since_ms: Option<u64>,
    /// With `lived_on`: the time until the entry would expire
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_ms: Option<u64>,
}

/// The last line of `rsct timeout what-if`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[schemars(transform = with_host)]
pub(crate) struct WhatIf<'a> {
    /// The type of the line
    pub r#type: tag::WhatIf,
    /// The protocol's name
    pub proto: &'a str,
    /// The protocol's number; 255 for `generic`
    pub protonum: u8,
    /// The timeouts that are tried, by state
    pub values_s: Map<u64>,
    /// The duration of the watch
    pub elapsed_ns: u64,
    /// The number of entries in the table at the end
    pub entries_now: u64,
    /// The number of entries that the table would hold
    pub entries_then: u64,
    /// The number of entries of the protocol and the filter
    pub proto_entries_now: u64,
    /// The number of entries of the protocol and the filter that the table would hold
    pub proto_entries_then: u64,
    /// The change from `entries_now` to `entries_then`; absent if the table is empty
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_percent: Option<f64>,
    /// The number of flows `expired`
    pub expired: u64,
    /// The number of flows `lived_on`
    pub lived_on: u64,
    /// The number of flows `cut_off`
    pub cut_off: u64,
    /// The number of entries without any record: counted as unchanged
    pub unobserved: u64,
    /// The number of lost records: the figures may be wrong by as much
    pub lost_total: u64,
}

/// A setting.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub(crate) struct Setting<'a> {
    /// The namespace
    #[serde(flatten)]
    pub netns: WithNetns<'a>,
    /// The setting's name: `net.netfilter.nf_conntrack_max`
    pub sysctl: &'a str,
    /// Its short name: `max`
    pub short: &'a str,
    /// The value before. Only of a setting that was set; such an object ends with `value`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_before: Option<u64>,
    /// The value before, if it is no number
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_before_text: Option<&'a str>,
    /// The value
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// The value, if it is no number
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_text: Option<&'a str>,
    /// True if it can be set in this namespace
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writable: Option<bool>,
    /// True if only the first network namespace can set it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_namespace_only: Option<bool>,
    /// The least value, if it does not depend on another setting
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<u64>,
    /// The greatest value, if it does not depend on another setting
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
    /// The protocol whose timeout it is
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proto: Option<&'a str>,
    /// The state whose timeout it is
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_state: Option<&'a str>,
    /// The meaning, if rsct knows it
    #[serde(skip_serializing_if = "Option::is_none")]
    pub meaning: Option<&'a str>,
}
