//! A table that counts the entries of dumps that no record has shown, instead of keeping them.

use rsct_common::record::{EntryKind, EntryRecord, PacketFlags, PacketRecord};

use super::FlowTable;
use crate::{
    flow::{
        class::Class,
        delete_kind,
        reconcile::DumpedEntry,
        silent::Silent,
        store::{FlowKey, TupleKey},
    },
    names::status,
};

impl FlowTable {
    /// Counts the entries of dumps that no record has shown, from now on. Their reply direction, mark and timeout are unknown
    /// until a record shows them.
    pub(crate) fn count_silent(&mut self) {
        self.silent = Some(Silent::default());
    }

    /// The entries that are only counted, by class, as of the end of the last dump.
    pub(crate) fn silent(&self) -> impl Iterator<Item = (Class, usize)> + '_ {
        self.silent.iter().flat_map(Silent::classes)
    }

    /// The number of entries that dumps contained.
    pub(crate) fn count_from_dump(&self) -> usize {
        let silent: usize = self.silent().map(|(_, count)| count).sum();
        silent + self.flows().filter(|flow| flow.from_dump).count()
    }

    /// Counts an entry of a dump, unless it is known. Returns whether that is all that is done with it.
    pub(super) fn is_only_counted(&mut self, entry: &DumpedEntry) -> bool {
        let Some(silent) = &mut self.silent else {
            return false;
        };
        if self.store.find_tuple(&entry.key).is_some() {
            return false;
        }
        if !self.reconciliation.was_deleted(&entry.key) {
            silent.add(entry);
        }
        true
    }

    /// Adds the unknown flow of a packet.
    pub(super) fn add_of_packet(&mut self, key: FlowKey, tuple: TupleKey, record: &PacketRecord) -> u32 {
        let index = self.add(key, tuple);
        let has = |flag| record.flags & flag != 0;
        let (bits, state) = match (has(PacketFlags::BEFORE), has(PacketFlags::AFTER)) {
            (true, _) => (record.status_before, record.state_before),
            (false, true) => (record.status_after, record.state_after),
            (false, false) => (0, 0),
        };
        self.was_silent(index, &tuple, bits, state);
        index
    }

    /// Adds the unknown flow of an operation.
    pub(super) fn add_of_entry(&mut self, key: FlowKey, tuple: TupleKey, record: &EntryRecord) -> u32 {
        let index = self.add(key, tuple);
        let inserts = matches!(
            EntryKind::from_byte(record.what),
            Some(EntryKind::Insert | EntryKind::Confirm | EntryKind::CheckInsert)
        );
        let bits = if inserts { 0 } else { record.status_before };
        self.was_silent(index, &tuple, bits, record.state_before);
        index
    }

    /// Adds the flow of a deleted entry that was only counted; its delete then ends it.
    pub(super) fn add_of_delete(
        &mut self,
        key: FlowKey,
        tuple: TupleKey,
        record: &EntryRecord,
    ) -> Option<u32> {
        let silent = self.silent.as_mut()?;
        let state = record.state_before;
        let was_in_table = record.status_before & status::CONFIRMED != 0 && delete_kind::deleted(record);
        if !was_in_table || !silent.shown(&tuple, Some(state)).from_dump {
            return None;
        }
        let index = self.add(key, tuple);
        let flow = self.store.live_mut(index);
        flow.from_dump = true;
        flow.status = record.status_before;
        flow.state = state;
        flow.mark = record.mark;
        flow.reply = record.reply;
        flow.reply_known = true;
        Some(index)
    }

    /// An added flow may be an entry that was only counted: it is then as a record found it.
    fn was_silent(&mut self, index: u32, tuple: &TupleKey, bits: u32, state: u8) {
        let Some(silent) = &mut self.silent else { return };
        let was_in_table = bits & status::CONFIRMED != 0;
        let known = silent.shown(tuple, was_in_table.then_some(state));
        let flow = self.store.live_mut(index);
        if was_in_table {
            flow.status = bits;
            flow.state = state;
        }
        flow.from_dump = known.from_dump;
        if known.in_current {
            flow.dump = self.reconciliation.dumps;
        }
    }
}
