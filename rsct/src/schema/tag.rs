//! The values of the key `type`, each a type of its own, so that a struct names the line that it is.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

macro_rules! tags {
    ($($Name:ident $text:literal;)*) => {$(
        #[doc = concat!("`\"type\":\"", $text, "\"`.")]
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub(crate) struct $Name;

        impl Serialize for $Name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str($text)
            }
        }

        impl<'de> Deserialize<'de> for $Name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                match String::deserialize(deserializer)?.as_str() {
                    $text => Ok(Self),
                    other => Err(D::Error::custom(format!("type {other}, expected {}", $text))),
                }
            }
        }

        impl JsonSchema for $Name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($Name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "const": $text })
            }
        }
    )*};
}

tags! {
    Cause "cause";
    Causes "causes";
    Difference "difference";
    Entry "entry";
    Expiring "expiring";
    Flow "flow";
    Gc "gc";
    Latency "latency";
    LatencyCounts "latency_counts";
    Loss "loss";
    NoEvents "no_events";
    Packet "packet";
    Programs "programs";
    Recording "recording";
    SchemaLine "schema";
    Snapshot "snapshot";
    Slow "slow";
    Started "started";
    Summary "summary";
    Synced "synced";
    Table "table";
    Unfired "unfired";
    Unreplied "unreplied";
    WhatIf "what_if";
    Why "why";
    WhyFlow "why_flow";
    WhyUnreplied "why_unreplied";
}
