//! Classes of entries.

use rsct_common::Tuple;

use super::{
    reconcile::DumpedEntry,
    store::{Flow, TupleKey},
};

/// A class of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Class {
    /// Inode number of the namespace.
    pub netns: u32,
    /// The zone.
    pub zone: u16,
    /// The protocol.
    pub protonum: u8,
    /// The protocol's state.
    pub state: u8,
}

impl Class {
    /// The class of a flow.
    pub(crate) fn of(flow: &Flow) -> Self {
        Self::in_state(&flow.tuple_key(), flow.state)
    }

    /// The class of an entry of a dump.
    pub(super) fn of_dumped(entry: &DumpedEntry) -> Self {
        Self::in_state(&entry.key, entry.state)
    }

    /// The class of an entry in this state.
    pub(super) fn in_state(key: &TupleKey, state: u8) -> Self {
        Self {
            netns: key.netns,
            zone: key.zone,
            protonum: Tuple::from_words(key.orig).protonum,
            state,
        }
    }
}
