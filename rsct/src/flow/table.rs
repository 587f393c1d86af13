//! The table of flows, fed by records and by dumps.

mod silent;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use rsct_common::record::{EntryFlags, EntryKind, EntryRecord, PacketFlags, PacketRecord};

use super::{
    delete_kind,
    reconcile::{Coverage, DumpedEntry, Reconciliation},
    silent::Silent,
    store::{Flow, FlowKey, PolicyOf, Store, TupleKey},
};
use crate::{kernel::hz::Jiffies32, names::status};

/// All known flows.
#[derive(Debug)]
pub(crate) struct FlowTable {
    ns_per_jiffy: u64,
    store: Store,
    /// Deleted flows until they are destroyed: a packet in flight still refers to its entry, while another flow may have
    /// its tuple already.
    ended: HashMap<FlowKey, Flow>,
    /// The policies of flows without a record so far.
    governed: HashMap<FlowKey, PolicyOf>,
    /// The entries that no record has shown, if they are only counted.
    silent: Option<Silent>,
    reconciliation: Reconciliation,
    /// True if flows are not kept.
    keeps_nothing: bool,
}

impl FlowTable {
    /// An empty table, on a kernel with `hz` jiffies a second.
    pub(crate) fn new(hz: u32) -> Self {
        Self {
            ns_per_jiffy: 1_000_000_000 / u64::from(hz),
            store: Store::new(),
            ended: HashMap::new(),
            governed: HashMap::new(),
            silent: None,
            reconciliation: Reconciliation::default(),
            keeps_nothing: false,
        }
    }

    /// Keeps no flows from now on: records have none then.
    pub(crate) fn keep_nothing(&mut self) {
        self.keeps_nothing = true;
    }

    /// Number of known flows.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.store.len()
    }

    /// Returns whether no flow is known.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every flow.
    pub(crate) fn flows(&self) -> impl Iterator<Item = &Flow> {
        self.store.flows()
    }

    /// The flow that a packet belongs to, as it was before the packet.
    pub(crate) fn of_packet(&self, record: &PacketRecord) -> Option<&Flow> {
        let key = FlowKey {
            ct: record.ct,
            birth_ns: record.birth_ns,
        };
        let of_tuple = || self.store.find_tuple(&TupleKey::of_packet(record));
        self.store.get(self.store.find_key(key).or_else(of_tuple)?)
    }

    /// The flow with this key in dumps.
    pub(crate) fn of_tuple(&self, key: &TupleKey) -> Option<&Flow> {
        self.store.get(self.store.find_tuple(key)?)
    }

    /// Adds a packet's record. Returns the flow it belongs to, as it is after the packet.
    #[inline]
    pub(crate) fn packet(&mut self, record: &PacketRecord) -> Option<&Flow> {
        if record.ct == 0 || self.keeps_nothing {
            return None;
        }
        let key = FlowKey {
            ct: record.ct,
            birth_ns: record.birth_ns,
        };
        match self.store.last(key) {
            Some(index) => self.after_packet(index, record),
            None => self.packet_of_another(key, record),
        }
    }

    /// A packet of another flow than the last one's. Not inlined: consecutive packets often belong to one flow.
    #[inline(never)]
    fn packet_of_another(&mut self, key: FlowKey, record: &PacketRecord) -> Option<&Flow> {
        let index = if entry_was_discarded(record) {
            self.store.find_key(key)?
        } else {
            match self.store.find_key(key) {
                Some(index) => index,
                None if self.ended.contains_key(&key) => return self.ended.get(&key),
                None => {
                    let tuple = TupleKey::of_packet(record);
                    self.adopt(key, &tuple)
                        .unwrap_or_else(|| self.add_of_packet(key, tuple, record))
                }
            }
        };
        self.store.set_last(key, index);
        self.after_packet(index, record)
    }

    /// Sets what a packet's record shows of its flow.
    #[inline(always)]
    fn after_packet(&mut self, index: u32, record: &PacketRecord) -> Option<&Flow> {
        let has_after = record.flags & PacketFlags::AFTER != 0;
        let expires_ns = if has_after {
            self.expiry(
                record.status_after,
                record.time_ns,
                record.timeout_after_jiffies,
                record.now_jiffies,
            )
        } else {
            None
        };
        let flow = self.store.get_mut(index)?;
        flow.last_ns = record.time_ns;
        if record.flags & PacketFlags::MARK != 0 {
            flow.mark = record.mark;
        }
        if has_after {
            flow.status = record.status_after;
            flow.state = record.state_after;
            flow.expires_ns = expires_ns;
        }
        if record.flags & PacketFlags::POLICY != 0 && flow.policy == PolicyOf::NONE {
            flow.policy = PolicyOf::LOST;
        }
        Some(flow)
    }

    /// A policy governs the flow's timeouts. The flow's first record may follow later.
    pub(crate) fn governed(&mut self, key: FlowKey, policy: PolicyOf) {
        if self.keeps_nothing {
            return;
        }
        match self.store.find_key(key) {
            Some(index) => self.store.live_mut(index).policy = policy,
            None => {
                self.governed.insert(key, policy);
            }
        }
    }

    /// A policy was deleted: its flows are governed by the defaults again.
    pub(crate) fn policy_ended(&mut self, policy: PolicyOf) {
        for flow in self.store.flows_mut() {
            if flow.policy == policy {
                flow.policy = PolicyOf::NONE;
            }
        }
        self.governed.retain(|_, governing| *governing != policy);
    }

    /// Adds an entry's record. Returns the flow it belongs to; for a delete or destroy as it was last.
    pub(crate) fn entry(&mut self, record: &EntryRecord) -> Option<Flow> {
        if record.ct == 0 || self.keeps_nothing {
            return None;
        }
        let kind = EntryKind::from_byte(record.what)?;
        let key = FlowKey {
            ct: record.ct,
            birth_ns: record.birth_ns,
        };
        if kind == EntryKind::Destroy {
            self.governed.remove(&key);
        }
        let tuple = TupleKey::of_entry(record);
        if let Some(flow) = self.ended.get(&key).copied() {
            if kind == EntryKind::Destroy {
                self.ended.remove(&key);
            }
            return Some(flow);
        }
        let known = self.store.find_key(key).or_else(|| self.adopt(key, &tuple));
        // The delete of an unknown flow does not add it.
        if matches!(kind, EntryKind::Delete | EntryKind::Destroy) {
            let known = match kind {
                EntryKind::Delete => known.or_else(|| self.add_of_delete(key, tuple, record)),
                _ => known,
            };
            return self.ended(known, kind, record);
        }
        let index = known.unwrap_or_else(|| self.add_of_entry(key, tuple, record));
        let after = record.flags & EntryFlags::RETURNED != 0 && record.status_after != 0;
        let (bits, timeout) = if after {
            (record.status_after, record.timeout_after_jiffies)
        } else {
            (record.status_before, record.timeout_before_jiffies)
        };
        let expires_ns = self.expiry(bits, record.time_ns, timeout, record.now_jiffies);
        let flow = self.store.get_mut(index)?;
        flow.from_probe = true;
        flow.last_ns = record.time_ns;
        flow.reply = record.reply;
        flow.reply_known = true;
        flow.status = match kind {
            // Dumps show it from now on, although the kernel may set the bit later.
            EntryKind::Insert => bits | status::CONFIRMED,
            _ => bits,
        };
        flow.mark = record.mark;
        flow.state = if after {
            record.state_after
        } else {
            record.state_before
        };
        if expires_ns.is_some() {
            flow.expires_ns = expires_ns;
        }
        Some(*flow)
    }

    fn ended(&mut self, index: Option<u32>, kind: EntryKind, record: &EntryRecord) -> Option<Flow> {
        if kind == EntryKind::Delete {
            if !delete_kind::deleted(record) {
                return index.and_then(|index| self.store.get(index).copied());
            }
            self.reconciliation.deleted(TupleKey::of_entry(record));
        }
        let mut flow = self.store.remove(index?)?;
        if kind == EntryKind::Delete {
            flow.last_ns = record.time_ns;
            self.ended.insert(flow.key, flow);
        }
        Some(flow)
    }

    /// A dump begins. `seeding`: the table was empty before, so the dump's entries are no differences.
    pub(crate) fn begin_dump(&mut self, now_ns: u64, seeding: bool) {
        if self.keeps_nothing {
            return;
        }
        self.reconciliation.begin(now_ns, seeding);
        if let Some(silent) = &mut self.silent {
            silent.begin();
        }
    }

    /// One entry of the dump, read at `now_ns` at the latest.
    pub(crate) fn dumped(&mut self, entry: &DumpedEntry, now_ns: u64) {
        if self.keeps_nothing {
            return;
        }
        if !self.is_only_counted(entry) {
            self.reconciliation.entry(&mut self.store, entry, now_ns);
        }
    }

    /// The dump ends; all records up to now are in the table. `coverage` returns how far each namespace was dumped.
    pub(crate) fn end_dump(&mut self, now_ns: u64, coverage: impl Fn(u32) -> Coverage) {
        if self.keeps_nothing {
            return;
        }
        if let Some(silent) = &mut self.silent {
            self.reconciliation.appeared(silent.end(&coverage));
        }
        let begun_ns = self.reconciliation.end(&mut self.store, now_ns, coverage);
        // Their destroy records were lost, and no later record refers to them.
        self.ended.retain(|_, flow| flow.last_ns >= begun_ns);
    }

    /// The findings of all dumps so far.
    pub(crate) fn reconciliation(&self) -> &Reconciliation {
        &self.reconciliation
    }

    /// When an entry expires. Its timeout is a span until it is confirmed, and a point in time afterwards.
    fn expiry(&self, status: u32, time_ns: u64, timeout: u32, now: u32) -> Option<u64> {
        if status & status::CONFIRMED == 0 {
            return None;
        }
        let left = Jiffies32(timeout).since(Jiffies32(now));
        let left_ns = u64::from(left.max(0).unsigned_abs()) * self.ns_per_jiffy;
        Some(time_ns + left_ns)
    }

    /// Sets the record key of a flow that only a dump knew. A flow with another key is a different one: the record of its
    /// delete was lost.
    fn adopt(&mut self, key: FlowKey, tuple: &TupleKey) -> Option<u32> {
        let index = self.store.find_tuple(tuple)?;
        if self.store.get(index)?.key != FlowKey::default() {
            self.reconciliation.replaced += 1;
            self.store.remove(index);
            return None;
        }
        let flow = self.store.get_mut(index)?;
        flow.key = key;
        flow.from_probe = true;
        if let Some(policy) = self.governed.remove(&key) {
            flow.policy = policy;
        }
        self.store.index_key(index, key);
        Some(index)
    }

    fn add(&mut self, key: FlowKey, tuple: TupleKey) -> u32 {
        let policy = self.governed.remove(&key).unwrap_or_default();
        self.store.add(key, tuple, policy)
    }
}

/// Returns whether conntrack created an entry for the packet and discarded it with the packet. Its destroy record precedes
/// this one, so a flow added here would never end.
fn entry_was_discarded(record: &PacketRecord) -> bool {
    let in_table = record.flags & PacketFlags::BEFORE != 0 && record.status_before & status::CONFIRMED != 0;
    record.flags & (PacketFlags::AFTER | PacketFlags::SEEN_ALREADY) == 0 && !in_table
}
