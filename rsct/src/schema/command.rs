//! The commands that print JSON, and the objects that each prints.

use schemars::{Schema, SchemaGenerator};

use super::{
    SchemaLine, entry::Entry, expectation::Expectation, latency, recording, settings, top, trace, watch, why,
    why_flow, why_full,
};
use crate::doctor::Diagnosis;

macro_rules! commands {
    ($($(#[$doc:meta])* $Name:ident $name:literal [$($Line:ty),+];)+) => {
        /// A command that prints JSON.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Command {
            $(
                #[doc = concat!("`rsct ", $name, "`.")]
                $Name,
            )+
        }

        impl Command {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$Name),+];

            /// The command's words, without `rsct`.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$Name => $name,)+
                }
            }

            /// The schemas of its lines, less that of the first.
            fn of_each_line(self, generator: &mut SchemaGenerator) -> Vec<Schema> {
                match self {
                    $(Self::$Name => vec![$(generator.subschema_for::<$Line>()),+],)+
                }
            }
        }
    };
}

commands! {
    Count "count" [settings::Count<'_>];
    Create "create" [Entry];
    Delete "delete" [Entry];
    Doctor "doctor" [Diagnosis];
    ExpectDelete "expect delete" [Expectation<'_>];
    ExpectFlush "expect flush" [Expectation<'_>];
    ExpectList "expect list" [Expectation<'_>];
    ExpectWatch "expect watch" [
        Expectation<'_>, watch::WatchStarted, watch::NoEvents<'_>, watch::WatchLoss<'_>, watch::WatchSummary
    ];
    Flush "flush" [Entry];
    Get "get" [Entry];
    Latency "latency" [
        latency::LatencyStarted<'_>, latency::Latency<'_>, latency::LatencyCounts<'_>, latency::Gc, latency::Slow<'_>,
        latency::LatencySummary
    ];
    List "list" [Entry];
    RecordingInfo "recording info" [recording::Recording];
    RecordingVerify "recording verify" [recording::Recording];
    Stats "stats" [settings::Stats<'_>];
    Sysctl "sysctl" [settings::Setting<'_>];
    TimeoutExpiring "timeout expiring" [settings::Expiring<'_>, Entry];
    TimeoutPolicy "timeout policy" [settings::Policy<'_>];
    TimeoutRules "timeout rules" [settings::Rule<'_>];
    TimeoutSet "timeout set" [settings::TimeoutChange<'_>];
    TimeoutShow "timeout show" [settings::TimeoutValue<'_>];
    TimeoutWhatIf "timeout what-if" [
        trace::Started, trace::TraceLoss, trace::Programs, trace::UnfiredHooks, settings::WhatIfFlow,
        settings::WhatIf<'_>
    ];
    TimeoutWhy "timeout why" [
        Entry, trace::Started, trace::Packet, trace::EntryEvent, trace::TraceLoss, trace::Programs,
        trace::UnfiredHooks, trace::Summary
    ];
    Top "top" [
        trace::Started, trace::Causes, trace::TraceLoss, trace::Programs, trace::UnfiredHooks, top::Snapshot
    ];
    Trace "trace" [
        trace::Started, trace::Causes, trace::Packet, trace::EntryEvent, trace::CauseAlone, trace::TraceLoss,
        trace::Programs, trace::UnfiredHooks, trace::Difference, trace::KnownFlow, trace::Summary
    ];
    Update "update" [Entry];
    Watch "watch" [
        Entry, watch::WatchStarted, watch::NoEvents<'_>, watch::WatchLoss<'_>, watch::Synced<'_>, watch::WatchSummary
    ];
    Why "why" [why::WhyStarted, why::Answer<'_>, why_full::Table];
    WhyFlow "why FLOW" [
        Entry, trace::Started, trace::Causes, trace::Packet, trace::EntryEvent, trace::CauseAlone, trace::TraceLoss,
        trace::Programs, trace::UnfiredHooks, why_flow::FlowEnd
    ];
    WhyUnreplied "why unreplied" [
        trace::Started, trace::TraceLoss, trace::Programs, trace::UnfiredHooks, why_flow::Unreplied,
        why_flow::UnrepliedSummary
    ];
}

impl Command {
    /// The command with these words.
    pub fn of(words: &[String]) -> Option<Self> {
        let name = words.join(" ");
        Self::ALL
            .iter()
            .copied()
            .find(|command| command.name().eq_ignore_ascii_case(&name))
    }

    /// True if the first line is a [`SchemaLine`]; the others have the key `schema` in each object.
    pub fn has_schema_line(self) -> bool {
        !matches!(self, Self::Count | Self::Doctor)
    }

    /// The schemas of its lines.
    pub(super) fn lines(self, generator: &mut SchemaGenerator) -> Vec<Schema> {
        let mut lines = Vec::new();
        if self.has_schema_line() {
            lines.push(generator.subschema_for::<SchemaLine>());
        }
        lines.extend(self.of_each_line(generator));
        lines
    }

    /// The name in `$defs`.
    pub(super) fn key(self) -> String {
        self.name().replace([' ', '-'], "_").to_lowercase()
    }
}
