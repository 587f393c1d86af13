//! What happened, with the flow it happened to: what renderers are given.

use rsct_common::record::{EntryRecord, PacketRecord};

use super::{names::status, table::Flow};

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub enum Observation<'a> {
    /// A packet passed `nf_conntrack_in`.
    Packet(&'a PacketRecord, Option<&'a Flow>),
    /// An entry was inserted, confirmed, deleted, …
    Entry(&'a EntryRecord, Option<&'a Flow>),
}

/// A span of jiffies as time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticks(pub u32);

impl Ticks {
    /// What is left, in milliseconds, of a timeout as a record holds it: a span until the entry is
    /// confirmed, a point in time afterwards (`nf_conntrack_confirm` adds the time).
    pub fn left_ms(self, status: u32, timeout: u32, now: u32) -> i64 {
        let jiffies = if status & status::CONFIRMED == 0 {
            timeout as i32
        } else {
            timeout.wrapping_sub(now) as i32
        };
        i64::from(jiffies) * 1000 / i64::from(self.0)
    }

    /// A span of jiffies in milliseconds.
    pub fn span_ms(self, jiffies: u32) -> u64 {
        u64::from(jiffies) * 1000 / u64::from(self.0)
    }
}
