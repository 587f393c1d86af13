//! The table of flows, fed by records and by dumps.

use std::{
    collections::HashMap,
    hash::{Hash as _, Hasher as _},
};

use hashbrown::HashTable;
use rsct_common::{
    Tuple, TupleWords,
    record::{EntryFlags, EntryKind, EntryRecord, PacketFlags, PacketRecord},
};
use rustc_hash::FxHasher;

use super::{
    cause,
    names::status,
    reconcile::{Reconciliation, Tombstones},
};

/// What names a flow in records: an address alone does not, as the kernel gives it to the next entry
/// at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FlowKey {
    /// The entry's address.
    pub ct: u64,
    /// When it was allocated or first seen.
    pub birth_ns: u64,
}

/// What names an entry in dumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TupleKey {
    /// Inode number of the namespace.
    pub netns: u32,
    /// The zone.
    pub zone: u16,
    /// The original direction.
    pub orig: TupleWords,
}

/// The policy that governs a flow's timeouts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PolicyOf(u32);

impl PolicyOf {
    /// None, as far as is known.
    pub const NONE: Self = Self(0);
    /// One, but the record that tells which was lost.
    pub const LOST: Self = Self(u32::MAX);

    /// The policy with this number.
    pub fn numbered(number: u32) -> Self {
        Self(number + 1)
    }

    /// The policy's number.
    pub fn number(self) -> Option<u32> {
        (self != Self::NONE && self != Self::LOST).then(|| self.0 - 1)
    }
}

/// One flow.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    /// A number of rsct's own, never used twice in a session.
    pub number: u64,
    /// Its name in records, once one was seen; zero before.
    pub key: FlowKey,
    /// Inode number of the namespace.
    pub netns: u32,
    /// The zone.
    pub zone: u16,
    /// The protocol's state.
    pub state: u8,
    /// Known from a dump.
    pub from_dump: bool,
    /// Known from a record.
    pub from_probe: bool,
    /// Whether [`Self::reply`] is known.
    pub reply_known: bool,
    /// `ct->status`.
    pub status: u32,
    /// `ct->mark`.
    pub mark: u32,
    /// The last record's time.
    pub last_ns: u64,
    /// When it expires, by the monotonic clock; none while it is not in the table.
    pub expires_ns: Option<u64>,
    /// The policy that governs its timeouts.
    pub policy: PolicyOf,
    /// Which dump saw it last.
    pub(super) dump: u32,
    /// The original direction.
    pub orig: TupleWords,
    /// The reply direction.
    pub reply: TupleWords,
}

impl Flow {
    /// Whether the entry is in the kernel's table.
    pub fn is_confirmed(&self) -> bool {
        self.status & status::CONFIRMED != 0
    }

    /// The original direction.
    pub fn orig_tuple(&self) -> Tuple {
        Tuple::from_words(self.orig)
    }

    /// The reply direction, once known.
    pub fn reply_tuple(&self) -> Option<Tuple> {
        self.reply_known.then(|| Tuple::from_words(self.reply))
    }

    /// Where the entry is known from.
    pub fn known_from(&self) -> &'static str {
        match (self.from_dump, self.from_probe) {
            (true, true) => "both",
            (true, false) => "dump",
            (false, _) => "probe",
        }
    }

    fn tuple_key(&self) -> TupleKey {
        TupleKey {
            netns: self.netns,
            zone: self.zone,
            orig: self.orig,
        }
    }
}

/// All flows known.
#[derive(Debug)]
pub struct Table {
    ns_per_jiffy: u64,
    slab: Vec<Option<Flow>>,
    free: Vec<u32>,
    by_key: HashTable<u32>,
    by_tuple: HashTable<u32>,
    next_number: u64,
    /// The flow found last: packets come in runs.
    last: (FlowKey, u32),
    /// Flows that were deleted, until they are destroyed: a packet under way still holds its entry, while
    /// another flow may have its tuple already.
    ended: HashMap<FlowKey, Flow>,
    /// The policies of flows whose first record is still to come.
    governed: HashMap<FlowKey, PolicyOf>,
    pub(super) tombstones: Tombstones,
    pub(super) reconciliation: Reconciliation,
}

impl Table {
    /// An empty table, on a kernel with `hz` jiffies a second.
    pub fn new(hz: u32) -> Self {
        Self {
            ns_per_jiffy: 1_000_000_000 / u64::from(hz),
            last: (FlowKey::default(), 0),
            ended: HashMap::new(),
            governed: HashMap::new(),
            slab: Vec::new(),
            free: Vec::new(),
            by_key: HashTable::new(),
            by_tuple: HashTable::new(),
            next_number: 1,
            tombstones: Tombstones::default(),
            reconciliation: Reconciliation::default(),
        }
    }

    /// How many flows are known.
    pub fn len(&self) -> usize {
        self.by_tuple.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every flow.
    pub fn flows(&self) -> impl Iterator<Item = &Flow> {
        self.slab.iter().flatten()
    }

    /// Takes in a packet's record; the flow it belongs to, as it is now.
    pub fn packet(&mut self, record: &PacketRecord) -> Option<&Flow> {
        if record.ct == 0 {
            return None;
        }
        let key = FlowKey {
            ct: record.ct,
            birth_ns: record.birth_ns,
        };
        let tuple = || TupleKey {
            netns: record.netns,
            zone: record.zone,
            orig: record.tuple,
        };
        let index = if self.last.0 == key {
            self.last.1
        } else if leaves_nothing(record) {
            self.find_key(key)?
        } else {
            match self.find_key(key) {
                Some(index) => index,
                None if self.ended.contains_key(&key) => return self.ended.get(&key),
                None => self
                    .adopt(key, &tuple())
                    .unwrap_or_else(|| self.add(key, tuple())),
            }
        };
        self.last = (key, index);
        let expires_ns = self.expiry(
            record.status_after,
            record.time_ns,
            record.timeout_after_jiffies,
            record.now_jiffies,
        );
        let flow = self.slab[index as usize].as_mut()?;
        flow.last_ns = record.time_ns;
        if record.flags & PacketFlags::MARK != 0 {
            flow.mark = record.mark;
        }
        if record.flags & PacketFlags::AFTER != 0 {
            flow.status = record.status_after;
            flow.state = record.state_after;
            flow.expires_ns = expires_ns;
        }
        if record.flags & PacketFlags::POLICY != 0 && flow.policy == PolicyOf::NONE {
            flow.policy = PolicyOf::LOST;
        }
        Some(flow)
    }

    /// A policy governs the flow's timeouts, whose first record may still be to come.
    pub fn governed(&mut self, key: FlowKey, policy: PolicyOf) {
        match self.find_key(key) {
            Some(index) => self.flow_mut(index).policy = policy,
            None => {
                self.governed.insert(key, policy);
            }
        }
    }

    /// A policy has come to its end: whom it governed has the defaults again.
    pub fn policy_ended(&mut self, policy: PolicyOf) {
        for flow in self.slab.iter_mut().flatten() {
            if flow.policy == policy {
                flow.policy = PolicyOf::NONE;
            }
        }
        // And those whose first record is still to come.
        self.governed.retain(|_, governing| *governing != policy);
    }

    /// Takes in an entry's record; the flow it belongs to, as it was last.
    pub fn entry(&mut self, record: &EntryRecord) -> Option<Flow> {
        if record.ct == 0 {
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
        let tuple = TupleKey {
            netns: record.netns,
            zone: record.zone,
            orig: record.orig,
        };
        if let Some(flow) = self.ended.get(&key).copied() {
            if kind == EntryKind::Destroy {
                self.ended.remove(&key);
            }
            return Some(flow);
        }
        // The end of a flow that was never seen is no reason to know it.
        let known = self.find_key(key).or_else(|| self.adopt(key, &tuple));
        if matches!(kind, EntryKind::Delete | EntryKind::Destroy) {
            return self.ended(known, kind, record);
        }
        let index = known.unwrap_or_else(|| self.add(key, tuple));
        let after = record.flags & EntryFlags::RETURNED != 0 && record.status_after != 0;
        let (bits, timeout) = if after {
            (record.status_after, record.timeout_after_jiffies)
        } else {
            (record.status_before, record.timeout_before_jiffies)
        };
        let expires_ns = self.expiry(bits, record.time_ns, timeout, record.now_jiffies);
        let flow = self.slab[index as usize].as_mut()?;
        flow.from_probe = true;
        flow.last_ns = record.time_ns;
        flow.reply = record.reply;
        flow.reply_known = true;
        flow.status = match kind {
            // In the table, as dumps see it, whether its bit is set yet or not.
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
            if !cause::deleted(record) {
                return index.and_then(|index| self.slab[index as usize]);
            }
            self.tombstones.bury(
                TupleKey {
                    netns: record.netns,
                    zone: record.zone,
                    orig: record.orig,
                },
                record.time_ns,
            );
        }
        let mut flow = self.remove(index?)?;
        if kind == EntryKind::Delete {
            flow.last_ns = record.time_ns;
            self.ended.insert(flow.key, flow);
        }
        Some(flow)
    }

    /// Forgets the flows deleted before `time_ns` whose destruction was not told: it was lost, and nobody
    /// will ask for them again.
    pub(super) fn forget_ended(&mut self, time_ns: u64) {
        self.ended.retain(|_, flow| flow.last_ns >= time_ns);
    }

    /// When an entry expires: before it is in the table its timeout is a span, then a time.
    fn expiry(&self, status: u32, time_ns: u64, timeout: u32, now: u32) -> Option<u64> {
        if status & status::CONFIRMED == 0 {
            return None;
        }
        let left = timeout.wrapping_sub(now) as i32;
        let left_ns = u64::from(left.max(0).unsigned_abs()) * self.ns_per_jiffy;
        Some(time_ns + left_ns)
    }

    fn find_key(&self, key: FlowKey) -> Option<u32> {
        self.by_key
            .find(hash_key(&key), |index| self.slot(*index).key == key)
            .copied()
    }

    pub(super) fn find_tuple(&self, tuple: &TupleKey) -> Option<u32> {
        self.by_tuple
            .find(hash_tuple(tuple), |index| self.slot(*index).tuple_key() == *tuple)
            .copied()
    }

    /// A flow known from a dump gets the name that records use for it. One that has another name
    /// already is another flow: its end was lost.
    fn adopt(&mut self, key: FlowKey, tuple: &TupleKey) -> Option<u32> {
        let index = self.find_tuple(tuple)?;
        if self.slot(index).key != FlowKey::default() {
            self.reconciliation.replaced += 1;
            self.remove(index);
            return None;
        }
        let flow = self.slab[index as usize].as_mut()?;
        flow.key = key;
        flow.from_probe = true;
        if let Some(policy) = self.governed.remove(&key) {
            flow.policy = policy;
        }
        self.index_key(index, key);
        Some(index)
    }

    pub(super) fn add(&mut self, key: FlowKey, tuple: TupleKey) -> u32 {
        let flow = Flow {
            number: self.next_number,
            key,
            netns: tuple.netns,
            zone: tuple.zone,
            state: 0,
            from_dump: false,
            from_probe: key != FlowKey::default(),
            reply_known: false,
            status: 0,
            mark: 0,
            last_ns: 0,
            expires_ns: None,
            policy: self.governed.remove(&key).unwrap_or_default(),
            dump: 0,
            orig: tuple.orig,
            reply: [0; 5],
        };
        self.next_number += 1;
        let index = match self.free.pop() {
            Some(index) => {
                self.slab[index as usize] = Some(flow);
                index
            }
            None => {
                self.slab.push(Some(flow));
                (self.slab.len() - 1) as u32
            }
        };
        if key != FlowKey::default() {
            self.index_key(index, key);
        }
        let slab = &self.slab;
        self.by_tuple.insert_unique(hash_tuple(&tuple), index, |index| {
            slab[*index as usize]
                .as_ref()
                .map_or(0, |flow| hash_tuple(&flow.tuple_key()))
        });
        index
    }

    fn index_key(&mut self, index: u32, key: FlowKey) {
        let slab = &self.slab;
        self.by_key.insert_unique(hash_key(&key), index, |index| {
            slab[*index as usize]
                .as_ref()
                .map_or(0, |flow| hash_key(&flow.key))
        });
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<Flow> {
        let flow = self.slab[index as usize].take()?;
        if self.last.1 == index {
            self.last = (FlowKey::default(), 0);
        }
        if let Ok(entry) = self
            .by_key
            .find_entry(hash_key(&flow.key), |other| *other == index)
        {
            entry.remove();
        }
        if let Ok(entry) = self
            .by_tuple
            .find_entry(hash_tuple(&flow.tuple_key()), |other| *other == index)
        {
            entry.remove();
        }
        self.free.push(index);
        Some(flow)
    }

    /// The flow at an index that the hash tables hold.
    fn slot(&self, index: u32) -> &Flow {
        self.slab[index as usize]
            .as_ref()
            .expect("the hash tables hold live indices only")
    }

    pub(super) fn flow_mut(&mut self, index: u32) -> &mut Flow {
        self.slab[index as usize]
            .as_mut()
            .expect("the hash tables hold live indices only")
    }

    pub(super) fn indices(&self) -> impl Iterator<Item = (u32, &Flow)> {
        (0..)
            .zip(&self.slab)
            .filter_map(|(index, flow)| Some((index, flow.as_ref()?)))
    }
}

/// Whether the entry that conntrack made for the packet was thrown away with it: its end was told
/// before this record, so a flow known from here on would never end.
fn leaves_nothing(record: &PacketRecord) -> bool {
    let in_table = record.flags & PacketFlags::BEFORE != 0 && record.status_before & status::CONFIRMED != 0;
    record.flags & (PacketFlags::AFTER | PacketFlags::SEEN_ALREADY) == 0 && !in_table
}

fn hash_key(key: &FlowKey) -> u64 {
    let mut hasher = FxHasher::default();
    key.hash(&mut hasher);
    hasher.finish()
}

fn hash_tuple(tuple: &TupleKey) -> u64 {
    let mut hasher = FxHasher::default();
    tuple.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_has_ended_governs_no_flow_that_is_still_to_come() {
        let record = PacketRecord {
            ct: 1,
            birth_ns: 2,
            flags: PacketFlags::AFTER,
            status_after: status::CONFIRMED,
            ..PacketRecord::default()
        };
        let key = FlowKey { ct: 1, birth_ns: 2 };
        let policy_of = |ends: bool| {
            let mut table = Table::new(250);
            table.governed(key, PolicyOf::numbered(0));
            if ends {
                table.policy_ended(PolicyOf::numbered(0));
            }
            table.packet(&record).map(|flow| flow.policy)
        };
        assert_eq!(policy_of(false), Some(PolicyOf::numbered(0)));
        assert_eq!(policy_of(true), Some(PolicyOf::NONE));
    }
}
