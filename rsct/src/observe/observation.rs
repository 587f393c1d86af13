//! Observations: each thing that happened, with the flow it happened to.

use rsct_common::record::{EntryKind, EntryRecord, PacketRecord};

use crate::{causes::Why, flow::Flow, timeouts::TimeoutSource};

/// One event, and its context.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Observation<'a> {
    /// A packet traversed `nf_conntrack_in`: its flow, the source of the timeout that it set, and the cause if it was
    /// dropped or INVALID.
    Packet(
        &'a PacketRecord,
        Option<&'a Flow>,
        Option<TimeoutSource<'a>>,
        Reason<'a>,
    ),
    /// An entry was inserted, confirmed, deleted, … : its flow, and the cause.
    Entry(&'a EntryRecord, Option<&'a Flow>, Option<&'a Why>),
    /// A cause that belongs to no packet or entry record.
    Cause(&'a Why),
}

/// Cause of a packet's drop or INVALID verdict, as far as it is known.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Reason<'a> {
    /// Causes are not requested, or there is none.
    #[default]
    None,
    /// The eBPF programs that report causes are not attached yet.
    NotYet,
    /// The cause.
    Known(&'a Why),
}

impl<'a> Reason<'a> {
    /// The cause, if it is known.
    pub(crate) fn known(self) -> Option<&'a Why> {
        match self {
            Self::Known(why) => Some(why),
            Self::None | Self::NotYet => None,
        }
    }
}

impl Observation<'_> {
    /// When it happened, or began, by the monotonic clock.
    pub(crate) fn time_ns(&self) -> u64 {
        match self {
            Self::Packet(record, ..) => record.time_ns,
            Self::Entry(record, ..) => record.time_ns,
            Self::Cause(why) => why.record.time_ns,
        }
    }

    /// Returns whether it set an entry's timeout, or deleted the entry.
    pub(crate) fn is_of_timeouts(&self) -> bool {
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
