//! The lines of `rsct watch` and `rsct expect watch` that are no events.

use schemars::JsonSchema;
use serde::Serialize;

use super::{common::WithNetns, tag};

/// Every event from now on is reported, except in namespaces with `no_events`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct WatchStarted {
    /// The type of the line
    pub r#type: tag::Started,
}

/// `net.netfilter.nf_conntrack_events` is 0: the kernel sends no events for entries made from now on.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct NoEvents<'a> {
    /// The type of the line
    pub r#type: tag::NoEvents,
    /// The namespace
    #[serde(flatten)]
    pub netns: WithNetns<'a>,
}

/// The kernel dropped events. With `rsct watch` every entry of the table follows as `sync`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct WatchLoss<'a> {
    /// The type of the line
    pub r#type: tag::Loss,
    /// The namespace
    #[serde(flatten)]
    pub netns: WithNetns<'a>,
    /// The events that the kernel dropped since the last such line, by its own count
    pub lost: u64,
    /// How often the kernel reported a loss (ENOBUFS)
    pub overruns: u64,
}

/// The table was listed after a loss: entries known before and not repeated as `sync` no longer exist.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct Synced<'a> {
    /// The type of the line
    pub r#type: tag::Synced,
    /// The namespace
    #[serde(flatten)]
    pub netns: WithNetns<'a>,
    /// The number of listed entries
    pub entries: u64,
}

/// The last line.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct WatchSummary {
    /// The type of the line
    pub r#type: tag::Summary,
    /// The number of `new` events
    pub new: u64,
    /// The number of `update` events
    pub updated: u64,
    /// The number of `destroy` events
    pub destroyed: u64,
    /// The packets of all destroyed entries, if accounting is on
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets: Option<u64>,
    /// The bytes of all destroyed entries, if accounting is on
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// The events that the kernel dropped
    pub lost_total: u64,
    /// How often the kernel reported a loss (ENOBUFS)
    pub overruns: u64,
}
