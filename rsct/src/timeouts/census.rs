//! Number of entries that each timeout governs.

use std::collections::HashMap;

use super::{GENERIC, Protocol, State, state_of};
use crate::netlink::conntrack::{Entry, ProtoInfo};

/// Entries counted by the state that governs them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Census {
    /// The protocols that the kernel has handlers for.
    handled: Vec<u8>,
    counts: HashMap<(u8, u16), u64>,
    /// Entries in states without a timeout of their own.
    pub others: u64,
}

impl Census {
    /// Counts nothing yet, on a kernel with handlers for these protocols.
    pub(crate) fn new(handled: Vec<u8>) -> Self {
        Self {
            handled,
            ..Self::default()
        }
    }

    /// The protocol and state that govern an entry; none if its state has no timeout.
    pub(crate) fn governing(&self, entry: &Entry<'_>) -> Option<(&'static Protocol, &'static State)> {
        let number = entry.orig.protonum;
        let number = if self.handled.contains(&number) {
            number
        } else {
            GENERIC
        };
        let state = entry.protoinfo.as_ref().and_then(ProtoInfo::state);
        let state = state_of(number, state, entry.status.unwrap_or(0))?;
        Some((Protocol::of_number(number), state))
    }

    /// Counts an entry.
    pub(crate) fn take(&mut self, entry: &Entry<'_>) {
        match self.governing(entry) {
            Some((protocol, state)) => {
                *self.counts.entry((protocol.number, state.attribute)).or_default() += 1
            }
            None => self.others += 1,
        }
    }

    /// Sets all counts to zero.
    pub(crate) fn restart(&mut self) {
        self.counts.clear();
        self.others = 0;
    }

    /// Number of entries that a state governs.
    pub(crate) fn of(&self, protocol: &Protocol, state: &State) -> u64 {
        let key = (protocol.number, state.attribute);
        self.counts.get(&key).copied().unwrap_or(0)
    }
}
