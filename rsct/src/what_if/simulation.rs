//! All simulated entries.

use std::collections::{HashMap, HashSet};

use crate::{
    flow::TupleKey,
    timeouts::{Sight, Spans, governing},
};

use super::{
    TimeoutTrial,
    entry::{Incident, IncidentKind, SimulatedEntry},
};

const NS_PER_MS: u64 = 1_000_000;
/// With fewer entries, forgetting is not worth a scan.
const FORGET_AT_LEAST: usize = 4096;

/// An entry of the first dump.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seed {
    /// The entry.
    pub key: TupleKey,
    /// When it was read.
    pub now_ns: u64,
    /// Its remaining timeout.
    pub left_ms: u64,
    /// The full timeout that governs it, and the simulated one; `None` if the trial does not change it.
    pub otherwise: Option<(u64, u64)>,
}

/// A packet, and its entry's timeout after it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PacketUpdate {
    /// Its entry.
    pub key: TupleKey,
    /// When.
    pub now_ns: u64,
    /// The entry's remaining timeout after it.
    pub left_ms: u64,
    /// True if it is of the reply direction.
    pub is_reply: bool,
    /// True if it created the entry.
    pub creates: bool,
}

/// Numbers of real and simulated entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Entries in the table.
    pub now: u64,
    /// Entries in the simulation.
    pub then: u64,
    /// Entries in the table that would have expired.
    pub expired: u64,
    /// Entries that expired and would still exist.
    pub lived_on: u64,
    /// Flows that would have been cut off while in use, each counted once.
    pub cut_off: u64,
    /// Entries in the table without a record: their simulated expiry is not known.
    pub unknown: u64,
}

/// The simulated entries, with the real ones that differ.
#[derive(Debug)]
pub(crate) struct Simulation {
    trial: TimeoutTrial,
    entries: HashMap<TupleKey, SimulatedEntry>,
    /// Entries that really expired, by their reply direction: replies would still belong to them.
    expired_by_reply: HashMap<TupleKey, TupleKey>,
    /// Real entries whose packets belong to another, still existing entry in the simulation.
    aliases: HashMap<TupleKey, TupleKey>,
    /// Flows that would have been cut off, each with its first incident.
    cut_off: HashMap<TupleKey, Incident>,
    /// At this number of entries, those that expired in reality and in the simulation are removed.
    forget_at: usize,
}

impl Simulation {
    /// An empty simulation.
    pub(crate) fn new(trial: TimeoutTrial) -> Self {
        Self {
            trial,
            entries: HashMap::new(),
            expired_by_reply: HashMap::new(),
            aliases: HashMap::new(),
            cut_off: HashMap::new(),
            forget_at: FORGET_AT_LEAST,
        }
    }

    /// Number of entries kept.
    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.entries.len()
    }

    /// The simulated timeouts.
    pub(crate) fn trial(&self) -> &TimeoutTrial {
        &self.trial
    }

    /// Adds an entry from the first dump: its last packet would have set the simulated timeout.
    pub(crate) fn seed(&mut self, seed: &Seed) {
        let left_ms = match seed.otherwise {
            Some((value_ms, other_ms)) => {
                let idle_ms = value_ms.saturating_sub(seed.left_ms);
                other_ms.saturating_sub(idle_ms)
            }
            None => seed.left_ms,
        };
        let expires_ns = seed.now_ns + left_ms * NS_PER_MS;
        self.entries
            .entry(seed.key)
            .or_insert_with(|| SimulatedEntry::new(expires_ns, seed.now_ns));
    }

    /// Adds a packet. `of_default`: the tracker's view of the entry after it and the namespace's defaults, if a default
    /// governs the entry.
    pub(crate) fn packet(&mut self, packet: &PacketUpdate, of_default: Option<(&Sight, &Spans)>) {
        let key = self.aliases.get(&packet.key).copied().unwrap_or(packet.key);
        let key = match self.expired_by_reply.get(&key) {
            Some(expired) if packet.creates && self.exists_only_here(*expired, packet.now_ns) => {
                self.aliases.insert(packet.key, *expired);
                *expired
            }
            _ => key,
        };
        let real_ns = packet.now_ns + packet.left_ms * NS_PER_MS;
        let is_reply = packet.is_reply != (key != packet.key);
        let entry = self
            .entries
            .entry(key)
            .or_insert_with(|| SimulatedEntry::new(u64::MAX, 0));
        if packet.now_ns <= entry.seeded_ns {
            return;
        }
        if packet.creates && !entry.is_real && !entry.exists(packet.now_ns) {
            // Expired in reality and in the simulation: the packet creates another entry.
            *entry = SimulatedEntry::new(u64::MAX, 0);
        }
        entry.is_real = true;
        entry.was_in_table |= !packet.creates;
        if !entry.exists(packet.now_ns) {
            let late_ms = (packet.now_ns - entry.expires_ns) / NS_PER_MS;
            self.cut_off.entry(key).or_insert(Incident {
                key,
                time_ns: packet.now_ns,
                kind: IncidentKind::CutOff { late_ms },
            });
            entry.recreate(packet.now_ns, is_reply);
        }
        let then_ms = of_default.and_then(|(sight, defaults)| {
            let spans = self.trial.over(defaults);
            let sight = entry.sight(sight, packet.now_ns, is_reply);
            spans.of(governing(&sight, Some(&spans))?.state.attribute)
        });
        entry.expires_ns = then_ms.map_or(real_ns, |ms| packet.now_ns + ms * NS_PER_MS);
    }

    fn exists_only_here(&self, key: TupleKey, now_ns: u64) -> bool {
        self.entries
            .get(&key)
            .is_some_and(|entry| !entry.is_real && entry.exists(now_ns))
    }

    /// An entry was inserted into the table.
    pub(crate) fn confirmed(&mut self, key: TupleKey) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.was_in_table = true;
        }
    }

    /// An entry was destroyed without ever being in the table: the same happens in the simulation.
    pub(crate) fn never_confirmed(&mut self, key: TupleKey) {
        if self.entries.get(&key).is_some_and(|entry| !entry.was_in_table) {
            self.entries.remove(&key);
        }
    }

    /// User space set an entry's timeout: the same happens in the simulation.
    pub(crate) fn set(&mut self, key: TupleKey, now_ns: u64, left_ms: u64) {
        let expires_ns = now_ns + left_ms * NS_PER_MS;
        self.entries
            .entry(key)
            .and_modify(|entry| entry.expires_ns = expires_ns)
            .or_insert_with(|| SimulatedEntry::new(expires_ns, now_ns));
    }

    /// An entry left the table: it expired, or was deleted for a cause that applies to the simulation too.
    pub(crate) fn deleted(
        &mut self,
        key: TupleKey,
        reply: TupleKey,
        now_ns: u64,
        expired: bool,
        status: u32,
    ) {
        let key = self.aliases.remove(&key).unwrap_or(key);
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        if expired && entry.exists(now_ns) {
            entry.outlive_real(status);
            self.expired_by_reply.insert(reply, key);
            self.forget(now_ns);
        } else {
            self.entries.remove(&key);
            self.expired_by_reply.remove(&reply);
        }
    }

    /// Forgets entries that expired in reality and in the simulation, once the number of entries has doubled.
    fn forget(&mut self, now_ns: u64) {
        if self.entries.len() < self.forget_at {
            return;
        }
        self.entries
            .retain(|_, entry| entry.is_real || entry.exists(now_ns));
        let entries = &self.entries;
        self.expired_by_reply.retain(|_, key| entries.contains_key(key));
        self.aliases.retain(|_, key| entries.contains_key(key));
        self.forget_at = FORGET_AT_LEAST.max(2 * self.entries.len());
    }

    /// The totals at the end, with `report` called for each difference. `real`: every entry of the table.
    pub(crate) fn end(
        &self,
        now_ns: u64,
        real: impl IntoIterator<Item = TupleKey>,
        mut report: impl FnMut(Incident),
    ) -> Totals {
        let mut totals = Totals::default();
        let mut found = HashSet::new();
        for key in real {
            totals.now += 1;
            let known = self.aliases.get(&key).unwrap_or(&key);
            found.insert(*known);
            match self.entries.get(known) {
                None => {
                    totals.unknown += 1;
                    totals.then += 1;
                }
                Some(entry) if entry.exists(now_ns) => totals.then += 1,
                Some(entry) => {
                    totals.expired += 1;
                    report(Incident {
                        key,
                        time_ns: now_ns,
                        kind: IncidentKind::Expired {
                            since_ms: (now_ns - entry.expires_ns) / NS_PER_MS,
                        },
                    });
                }
            }
        }
        for (key, entry) in &self.entries {
            // No listing contains an expired entry, reaped or not.
            if !found.contains(key) && entry.was_in_table && entry.exists(now_ns) {
                totals.lived_on += 1;
                totals.then += 1;
                report(Incident {
                    key: *key,
                    time_ns: now_ns,
                    kind: IncidentKind::LivedOn {
                        left_ms: (entry.expires_ns - now_ns) / NS_PER_MS,
                    },
                });
            }
        }
        totals.cut_off = self.cut_off.len() as u64;
        for incident in self.cut_off.values() {
            report(*incident);
        }
        totals
    }
}
