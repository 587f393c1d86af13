//! One JSON line of `rsct trace`, and the questions that scenarios ask it.

use serde_json::Value;

/// A line; members are named by their path, as in `/orig/sport`.
#[derive(Clone, Debug)]
pub struct Line(pub Value);

impl Line {
    /// Whether the line tells of a packet.
    pub fn is_packet(&self) -> bool {
        self.text("/type") == "packet"
    }

    /// Whether the line tells of this event of an entry.
    pub fn is_event(&self, event: &str) -> bool {
        self.text("/type") == "entry" && self.text("/event") == event
    }

    /// Whether the line tells of a packet with this outcome.
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

    /// Whether the member is there.
    pub fn has(&self, path: &str) -> bool {
        self.0.pointer(path).is_some()
    }

    /// Whether a list, such as `/after/status`, holds this name.
    pub fn lists(&self, path: &str, name: &str) -> bool {
        self.0
            .pointer(path)
            .and_then(Value::as_array)
            .is_some_and(|list| list.iter().any(|item| item == name))
    }

    /// Whether a packet set this status bit.
    pub fn sets(&self, bit: &str) -> bool {
        self.is_packet() && !self.lists("/before/status", bit) && self.lists("/after/status", bit)
    }

    /// Whether the member is a time in milliseconds that is within two seconds of this many seconds:
    /// as far as an emulated processor may lag.
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
