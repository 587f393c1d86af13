//! What happened, with the flow it happened to: what renderers are given.

use std::{cell::RefCell, fmt, rc::Rc};

use rsct_common::record::{EntryKind, EntryRecord, PacketFlags, PacketRecord};

use super::{names::status, table::Flow};
use crate::{causes::Why, timeouts::Source};

/// One thing that happened.
#[derive(Clone, Copy, Debug)]
pub enum Observation<'a> {
    /// A packet passed `nf_conntrack_in`; where it gave its entry a timeout, whose that is; where it came to nothing,
    /// why.
    Packet(&'a PacketRecord, Option<&'a Flow>, Option<Source<'a>>, Reason<'a>),
    /// An entry was inserted, confirmed, deleted, … and why.
    Entry(&'a EntryRecord, Option<&'a Flow>, Option<&'a Why>),
    /// Why something happened that is not told of otherwise.
    Cause(&'a Why),
}

/// Takes in what happens, and may write lines about it.
pub trait Observer: fmt::Debug {
    /// Takes in one observation; what is to be written at once goes into `out`, whole lines of it.
    fn observe(&mut self, out: &mut Vec<u8>, observation: Observation<'_>);
}

/// Whoever lends itself to a trace has at its end what it took in.
impl<T: Observer> Observer for Rc<RefCell<T>> {
    fn observe(&mut self, out: &mut Vec<u8>, observation: Observation<'_>) {
        self.borrow_mut().observe(out, observation);
    }
}

/// What is known of the cause.
#[derive(Clone, Copy, Debug, Default)]
pub enum Reason<'a> {
    /// No cause is asked for, or there is none.
    #[default]
    None,
    /// The programs that report causes are not attached yet.
    NotYet,
    /// This is the cause.
    Known(&'a Why),
}

impl<'a> Reason<'a> {
    /// The cause, if it is known.
    pub fn known(self) -> Option<&'a Why> {
        match self {
            Self::Known(why) => Some(why),
            Self::None | Self::NotYet => None,
        }
    }
}

impl Observation<'_> {
    /// When it happened, or began, by the monotonic clock.
    pub fn time_ns(&self) -> u64 {
        match self {
            Self::Packet(record, ..) => record.time_ns,
            Self::Entry(record, ..) => record.time_ns,
            Self::Cause(why) => why.record.time_ns,
        }
    }

    /// Whether it gave an entry a timeout, or ended it.
    pub fn is_of_timeouts(&self) -> bool {
        match self {
            Self::Packet(_, _, source, _) => source.is_some(),
            Self::Cause(_) => false,
            Self::Entry(record, _, _) => matches!(
                EntryKind::from_byte(record.what),
                Some(
                    EntryKind::ChangeTimeout
                        | EntryKind::CheckInsert
                        | EntryKind::Refresh
                        | EntryKind::Delete
                )
            ),
        }
    }
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// A rule said not to track it.
    Untracked,
    /// It had its entry when it came: loopback, or a second pass. Nothing was done.
    TrackedAlready,
    /// Conntrack wants none of it, and lets it go on without an entry.
    Invalid,
    /// Conntrack had it dropped.
    Dropped,
    /// It has an entry that is not in the table yet.
    Created,
    /// It belongs to an entry of the table.
    Tracked,
}

impl Outcome {
    /// What a record says.
    pub fn of(record: &PacketRecord) -> Self {
        const ACCEPT: u8 = 1;
        if record.flags & PacketFlags::SEEN_ALREADY != 0 {
            Self::TrackedAlready
        } else if record.flags & PacketFlags::UNTRACKED != 0 {
            Self::Untracked
        } else if record.flags & PacketFlags::AFTER == 0 {
            if record.verdict == ACCEPT {
                Self::Invalid
            } else {
                Self::Dropped
            }
        } else if record.status_after & status::CONFIRMED == 0 {
            Self::Created
        } else {
            Self::Tracked
        }
    }

    /// The name in output and documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Untracked => "untracked",
            Self::TrackedAlready => "tracked_already",
            Self::Invalid => "invalid",
            Self::Dropped => "dropped",
            Self::Created => "created",
            Self::Tracked => "tracked",
        }
    }
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
