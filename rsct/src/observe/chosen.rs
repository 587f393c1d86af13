//! The records of a recording that a filter and a namespace select, as the eBPF programs would.

use rsct_common::{
    Tuple,
    record::{CauseFlags, CauseRecord, PacketRecord},
};

use crate::{
    filter::{Details, Filter},
    flow::{Flow, FlowTable, TupleKey, tuples::inverse},
};

/// Returns whether a cause meets conditions that only an entry can meet.
pub(super) fn meets(details: &Details, record: &CauseRecord) -> bool {
    details.is_empty()
        || record.flags & CauseFlags::ENTRY != 0 && {
            let (orig, reply) = (Tuple::from_words(record.tuple), Tuple::from_words(record.other));
            details.meet_record(&orig, Some(&reply), record.status, record.state)
        }
}

/// The selected records.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chosen {
    /// Their flows.
    pub(crate) filter: Filter,
    /// The inode number of their namespace; none for all.
    pub(crate) netns: Option<u32>,
}

impl Chosen {
    /// Returns whether a namespace is selected.
    pub(crate) fn has_netns(&self, netns: u32) -> bool {
        self.netns.is_none_or(|chosen| chosen == netns)
    }

    /// Returns whether a cause is selected. The table has the mark of its entry.
    pub(crate) fn has_cause(&self, record: &CauseRecord, table: &FlowTable) -> bool {
        if !self.has_netns(record.netns) {
            return false;
        }
        if self.filter.is_empty() {
            return true;
        }
        let orig = Tuple::from_words(record.tuple);
        let has_entry = record.flags & CauseFlags::ENTRY != 0;
        let reply = has_entry.then(|| Tuple::from_words(record.other));
        let mark = || {
            let key = TupleKey {
                netns: record.netns,
                zone: record.zone,
                orig: record.tuple,
            };
            table.of_tuple(&key).map_or(0, |flow| flow.mark)
        };
        let mark = self.filter.mark.map_or(0, |_| mark());
        // Without a known reply direction: no NAT.
        self.filter
            .matches(&orig, &reply.unwrap_or_else(|| inverse(&orig)), record.zone, mark)
            && self.has_details(record)
    }

    /// Returns whether a cause meets the conditions that eBPF programs do not check. One without an entry meets none.
    pub(crate) fn has_details(&self, record: &CauseRecord) -> bool {
        meets(&self.filter.details, record)
    }

    /// Returns whether a packet without an entry is selected.
    pub(crate) fn has_packet(&self, record: &PacketRecord) -> bool {
        let orig = Tuple::from_words(record.tuple);
        self.has_netns(record.netns)
            && self.filter.details.is_empty()
            && self
                .filter
                .matches(&orig, &inverse(&orig), record.zone, record.mark)
    }

    /// Returns whether an entry is selected.
    pub(crate) fn has_flow(&self, flow: &Flow) -> bool {
        let (orig, reply) = (flow.orig_tuple(), flow.reply_tuple());
        let known = reply.unwrap_or_else(|| inverse(&orig));
        self.has_netns(flow.netns)
            && self.filter.matches(&orig, &known, flow.zone, flow.mark)
            && self
                .filter
                .details
                .meet_record(&orig, reply.as_ref(), flow.status, flow.state)
    }
}
