//! One JSON line of `rsct trace`, with accessors for scenarios.

use serde_json::Value;

/// A line; members are named by their path, as in `/orig/sport`.
#[derive(Clone, Debug)]
pub struct Line(pub Value);

impl Line {
    /// Returns whether the line describes a packet.
    pub fn is_packet(&self) -> bool {
        self.text("/type") == "packet"
    }

    /// Returns whether the line describes this event of an entry.
    pub fn is_event(&self, event: &str) -> bool {
        self.text("/type") == "entry" && self.text("/event") == event
    }

    /// Returns whether the line describes a packet with this outcome.
    pub fn is_outcome(&self, outcome: &str) -> bool {
        self.is_packet() && self.text("/outcome") == outcome
    }

    /// A text member; empty where there is none.
    pub fn text(&self, path: &str) -> &str {
        self.0.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }

    /// A number member.
    pub fn number(&self, path: &str) -> Option<i64> {
        self.0.pointer(path).and_then(Value::as_i64)
    }

    /// Returns whether the member exists.
    pub fn has(&self, path: &str) -> bool {
        self.0.pointer(path).is_some()
    }

    /// Returns whether a list, such as `/after/status`, contains this name.
    pub fn lists(&self, path: &str, name: &str) -> bool {
        self.0
            .pointer(path)
            .and_then(Value::as_array)
            .is_some_and(|list| list.iter().any(|item| item == name))
    }

    /// Returns whether a packet set this status bit.
    pub fn sets(&self, bit: &str) -> bool {
        self.is_packet() && !self.lists("/before/status", bit) && self.lists("/after/status", bit)
    }

    /// Returns whether the member is a time in milliseconds within two seconds of this number of seconds, which is the
    /// lag of an emulated processor.
    pub fn is_about_seconds(&self, path: &str, seconds: i64) -> bool {
        self.number(path)
            .is_some_and(|ms| (ms - seconds * 1000).abs() <= 2000)
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
