//! Storage of flows, found by the key of records or by the key of dumps.

use std::hash::{Hash, Hasher as _};

use hashbrown::HashTable;
use rsct_common::{
    Tuple, TupleWords,
    record::{EntryRecord, PacketRecord},
};
use rustc_hash::FxHasher;

use crate::names::status;

/// Identity of a flow in records. The address alone is not enough: the kernel reuses it for the next entry at once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct FlowKey {
    /// The entry's address.
    pub ct: u64,
    /// When it was allocated or first seen.
    pub birth_ns: u64,
}

/// Identity of an entry in dumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TupleKey {
    /// Inode number of the namespace.
    pub netns: u32,
    /// The zone.
    pub zone: u16,
    /// The original direction.
    pub orig: TupleWords,
}

impl TupleKey {
    /// The entry that a packet belongs to.
    pub(crate) fn of_packet(record: &PacketRecord) -> Self {
        Self {
            netns: record.netns,
            zone: record.zone,
            orig: record.tuple,
        }
    }

    /// The entry of an operation's record.
    pub(crate) fn of_entry(record: &EntryRecord) -> Self {
        Self {
            netns: record.netns,
            zone: record.zone,
            orig: record.orig,
        }
    }
}

/// The policy that governs a flow's timeouts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct PolicyOf(u32);

impl PolicyOf {
    /// No policy, as far as is known.
    pub(crate) const NONE: Self = Self(0);
    /// A policy, but the record that identifies it was lost.
    pub(crate) const LOST: Self = Self(u32::MAX);
    /// A policy or none: records were lost, and the entry's may be among them.
    pub(crate) const UNKNOWN: Self = Self(u32::MAX - 1);

    /// The policy with this number.
    pub(crate) fn numbered(number: u32) -> Self {
        Self(number + 1)
    }

    /// A number for each value.
    pub(crate) fn to_bits(self) -> u32 {
        self.0
    }

    /// The policy's number.
    pub(crate) fn number(self) -> Option<u32> {
        (![Self::NONE, Self::LOST, Self::UNKNOWN].contains(&self)).then(|| self.0 - 1)
    }
}

/// One flow.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    /// A number of rsct's own, never reused in a session.
    pub number: u64,
    /// Its key in records; the default until one was seen.
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
    /// True if [`Self::reply`] is known.
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
    /// The last dump that contained it.
    pub(super) dump: u32,
    /// The original direction.
    pub orig: TupleWords,
    /// The reply direction.
    pub reply: TupleWords,
}

impl Flow {
    /// Returns whether the entry is in the kernel's table.
    pub(crate) fn is_confirmed(&self) -> bool {
        self.status & status::CONFIRMED != 0
    }

    /// The original direction.
    pub(crate) fn orig_tuple(&self) -> Tuple {
        Tuple::from_words(self.orig)
    }

    /// The reply direction, once known.
    pub(crate) fn reply_tuple(&self) -> Option<Tuple> {
        self.reply_known.then(|| Tuple::from_words(self.reply))
    }

    /// Whole seconds until it expires, as ctnetlink counts them; none while it is not in the table.
    pub(crate) fn left_s(&self, now_ns: u64) -> Option<u64> {
        self.expires_ns
            .map(|expires_ns| expires_ns.saturating_sub(now_ns) / 1_000_000_000)
    }

    /// The sources that know the entry.
    pub(crate) fn known_from(&self) -> &'static str {
        match (self.from_dump, self.from_probe) {
            (true, true) => "both",
            (true, false) => "dump",
            (false, _) => "probe",
        }
    }

    /// Its key in dumps.
    pub(crate) fn tuple_key(&self) -> TupleKey {
        TupleKey {
            netns: self.netns,
            zone: self.zone,
            orig: self.orig,
        }
    }
}

/// Flows by index, with a hash table for each key.
#[derive(Debug)]
pub(super) struct Store {
    slab: Vec<Option<Flow>>,
    free: Vec<u32>,
    by_key: HashTable<u32>,
    by_tuple: HashTable<u32>,
    next_number: u64,
    /// The flow found last: consecutive packets often belong to one flow.
    last: (FlowKey, u32),
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            slab: Vec::new(),
            free: Vec::new(),
            by_key: HashTable::new(),
            by_tuple: HashTable::new(),
            next_number: 1,
            last: (FlowKey::default(), 0),
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.by_tuple.len()
    }

    pub(super) fn flows(&self) -> impl Iterator<Item = &Flow> {
        self.slab.iter().flatten()
    }

    pub(super) fn flows_mut(&mut self) -> impl Iterator<Item = &mut Flow> {
        self.slab.iter_mut().flatten()
    }

    pub(super) fn indices(&self) -> impl Iterator<Item = (u32, &Flow)> {
        (0..)
            .zip(&self.slab)
            .filter_map(|(index, flow)| Some((index, flow.as_ref()?)))
    }

    pub(super) fn get(&self, index: u32) -> Option<&Flow> {
        self.slab[index as usize].as_ref()
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Flow> {
        self.slab[index as usize].as_mut()
    }

    /// The index found last, if it is this key's.
    pub(super) fn last(&self, key: FlowKey) -> Option<u32> {
        (self.last.0 == key).then_some(self.last.1)
    }

    /// Remembers the index found last.
    pub(super) fn set_last(&mut self, key: FlowKey, index: u32) {
        self.last = (key, index);
    }

    pub(super) fn find_key(&self, key: FlowKey) -> Option<u32> {
        self.by_key
            .find(hash_of(&key), |index| self.live(*index).key == key)
            .copied()
    }

    pub(super) fn find_tuple(&self, tuple: &TupleKey) -> Option<u32> {
        self.by_tuple
            .find(hash_of(tuple), |index| self.live(*index).tuple_key() == *tuple)
            .copied()
    }

    /// Adds a flow. Its key is the default if only a dump knows it.
    pub(super) fn add(&mut self, key: FlowKey, tuple: TupleKey, policy: PolicyOf) -> u32 {
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
            policy,
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
        self.by_tuple.insert_unique(hash_of(&tuple), index, |index| {
            slab[*index as usize]
                .as_ref()
                .map_or(0, |flow| hash_of(&flow.tuple_key()))
        });
        index
    }

    /// Makes a flow findable by its key in records.
    pub(super) fn index_key(&mut self, index: u32, key: FlowKey) {
        let slab = &self.slab;
        self.by_key.insert_unique(hash_of(&key), index, |index| {
            slab[*index as usize]
                .as_ref()
                .map_or(0, |flow| hash_of(&flow.key))
        });
    }

    pub(super) fn remove(&mut self, index: u32) -> Option<Flow> {
        let flow = self.slab[index as usize].take()?;
        if self.last.1 == index {
            self.last = (FlowKey::default(), 0);
        }
        if let Ok(entry) = self
            .by_key
            .find_entry(hash_of(&flow.key), |other| *other == index)
        {
            entry.remove();
        }
        if let Ok(entry) = self
            .by_tuple
            .find_entry(hash_of(&flow.tuple_key()), |other| *other == index)
        {
            entry.remove();
        }
        self.free.push(index);
        Some(flow)
    }

    /// The flow at an index of the hash tables.
    fn live(&self, index: u32) -> &Flow {
        self.slab[index as usize]
            .as_ref()
            .expect("the hash tables hold live indices only")
    }

    /// The flow at an index that was just found or added.
    pub(super) fn live_mut(&mut self, index: u32) -> &mut Flow {
        self.slab[index as usize]
            .as_mut()
            .expect("the hash tables hold live indices only")
    }
}

fn hash_of(key: &impl Hash) -> u64 {
    let mut hasher = FxHasher::default();
    key.hash(&mut hasher);
    hasher.finish()
}
