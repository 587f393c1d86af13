//! All entries, as they would be.

use std::collections::{HashMap, HashSet};

use crate::{
    flow::table::TupleKey,
    timeouts::{Sight, Spans, governing},
};

use super::{
    Trial,
    entry::{Entry, Fate, Incident},
};

const NS_PER_MS: u64 = 1_000_000;
/// Below this nothing is gained.
const FORGET_AT_LEAST: usize = 4096;

/// An entry of the dump at the beginning.
#[derive(Clone, Copy, Debug)]
pub struct Seed {
    /// Whose.
    pub key: TupleKey,
    /// When it was read.
    pub now_ns: u64,
    /// What is left of its timeout.
    pub left_ms: u64,
    /// The whole of the timeout that governs it, and what that would be; `None` where the trial changes nothing for it.
    pub otherwise: Option<(u64, u64)>,
}

/// A packet that gave its entry a timeout, or left it as it was.
#[derive(Clone, Copy, Debug)]
pub struct Packet {
    /// Whose.
    pub key: TupleKey,
    /// When.
    pub now_ns: u64,
    /// What is left of the entry's timeout after it.
    pub left_ms: u64,
    /// Whether it went the reply direction.
    pub is_reply: bool,
    /// Whether it made the entry.
    pub creates: bool,
}

/// How many there are and would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Entries in the table.
    pub now: u64,
    /// Entries that would be.
    pub then: u64,
    /// Of those in the table, the ones that would be gone.
    pub expired: u64,
    /// Entries that are gone and would not be.
    pub lived_on: u64,
    /// Flows that would have been cut off while in use; each once.
    pub cut_off: u64,
    /// Of those in the table, the ones of which no record told: what would have become of them is not known.
    pub unknown: u64,
}

/// Entries as they would be, beside those that there are.
#[derive(Debug)]
pub struct Simulation {
    trial: Trial,
    entries: HashMap<TupleKey, Entry>,
    /// Entries that have really gone, by their reply direction: what answers them would have met them.
    gone_by_reply: HashMap<TupleKey, TupleKey>,
    /// Real entries whose packets would have been of another, which is still there.
    aliases: HashMap<TupleKey, TupleKey>,
    /// Which flows would have been cut off, when first, and by how much.
    cut_off: HashMap<TupleKey, Incident>,
    /// How many entries have to be known before those are looked for that are gone by either reckoning.
    forget_at: usize,
}

impl Simulation {
    /// Nothing is known yet.
    pub fn new(trial: Trial) -> Self {
        Self {
            trial,
            entries: HashMap::new(),
            gone_by_reply: HashMap::new(),
            aliases: HashMap::new(),
            cut_off: HashMap::new(),
            forget_at: FORGET_AT_LEAST,
        }
    }

    /// How many entries are kept in mind.
    #[cfg(test)]
    pub(super) fn known(&self) -> usize {
        self.entries.len()
    }

    /// What is tried.
    pub fn trial(&self) -> &Trial {
        &self.trial
    }

    /// Takes in an entry that was there before: its last packet would have given it the other timeout.
    pub fn seed(&mut self, seed: &Seed) {
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
            .or_insert_with(|| Entry::new(expires_ns, seed.now_ns));
    }

    /// Takes in a packet. `sight`: what the tracker sees of the entry after it, where one of the namespace's defaults
    /// governs it; `defaults`: those.
    pub fn packet(&mut self, packet: &Packet, of_default: Option<(&Sight, &Spans)>) {
        let key = self.aliases.get(&packet.key).copied().unwrap_or(packet.key);
        let key = match self.gone_by_reply.get(&key) {
            Some(gone) if packet.creates && self.is_gone_but_there(*gone, packet.now_ns) => {
                self.aliases.insert(packet.key, *gone);
                *gone
            }
            _ => key,
        };
        let real_ns = packet.now_ns + packet.left_ms * NS_PER_MS;
        let is_reply = packet.is_reply != (key != packet.key);
        let entry = self.entries.entry(key).or_insert_with(|| Entry::new(u64::MAX, 0));
        if packet.now_ns <= entry.seeded_ns {
            return;
        }
        if packet.creates && !entry.is_real && !entry.would_be_there(packet.now_ns) {
            // Gone by either reckoning: this is the beginning of another.
            *entry = Entry::new(u64::MAX, 0);
        }
        entry.is_real = true;
        entry.was_in_table |= !packet.creates;
        if !entry.would_be_there(packet.now_ns) {
            let late_ms = (packet.now_ns - entry.expires_ns) / NS_PER_MS;
            self.cut_off.entry(key).or_insert(Incident {
                key,
                time_ns: packet.now_ns,
                fate: Fate::CutOff { late_ms },
            });
            entry.is_made_anew(packet.now_ns, is_reply);
        }
        let then_ms = of_default.and_then(|(sight, defaults)| {
            let spans = self.trial.over(defaults);
            let sight = entry.sight(sight, packet.now_ns, is_reply);
            spans.of(governing(&sight, Some(&spans))?.state.attribute)
        });
        entry.expires_ns = then_ms.map_or(real_ns, |ms| packet.now_ns + ms * NS_PER_MS);
    }

    fn is_gone_but_there(&self, key: TupleKey, now_ns: u64) -> bool {
        self.entries
            .get(&key)
            .is_some_and(|entry| !entry.is_real && entry.would_be_there(now_ns))
    }

    /// An entry is in the table from now on.
    pub fn confirmed(&mut self, key: TupleKey) {
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.was_in_table = true;
        }
    }

    /// An entry has never got into the table, and would not have.
    pub fn never_confirmed(&mut self, key: TupleKey) {
        if self.entries.get(&key).is_some_and(|entry| !entry.was_in_table) {
            self.entries.remove(&key);
        }
    }

    /// An entry's timeout was set by hand: it would have been with other defaults too.
    pub fn set(&mut self, key: TupleKey, now_ns: u64, left_ms: u64) {
        let expires_ns = now_ns + left_ms * NS_PER_MS;
        self.entries
            .entry(key)
            .and_modify(|entry| entry.expires_ns = expires_ns)
            .or_insert_with(|| Entry::new(expires_ns, now_ns));
    }

    /// An entry has left the table: because its time was over, or for another reason that would have been one too.
    pub fn deleted(&mut self, key: TupleKey, reply: TupleKey, now_ns: u64, expired: bool, status: u32) {
        let key = self.aliases.remove(&key).unwrap_or(key);
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        if expired && entry.would_be_there(now_ns) {
            entry.goes_on(status);
            self.gone_by_reply.insert(reply, key);
            self.forget(now_ns);
        } else {
            self.entries.remove(&key);
            self.gone_by_reply.remove(&reply);
        }
    }

    /// Forgets who has really gone and would have gone since, once there may be as many of them as of all others.
    fn forget(&mut self, now_ns: u64) {
        if self.entries.len() < self.forget_at {
            return;
        }
        self.entries
            .retain(|_, entry| entry.is_real || entry.would_be_there(now_ns));
        let entries = &self.entries;
        self.gone_by_reply.retain(|_, key| entries.contains_key(key));
        self.aliases.retain(|_, key| entries.contains_key(key));
        self.forget_at = FORGET_AT_LEAST.max(2 * self.entries.len());
    }

    /// How many there would be at the end, and who would have had another fate. `real`: every entry of the table.
    pub fn end(
        &self,
        now_ns: u64,
        real: impl IntoIterator<Item = TupleKey>,
        mut tell: impl FnMut(Incident),
    ) -> Totals {
        let mut totals = Totals::default();
        let mut met = HashSet::new();
        for key in real {
            totals.now += 1;
            let known = self.aliases.get(&key).unwrap_or(&key);
            met.insert(*known);
            match self.entries.get(known) {
                None => {
                    totals.unknown += 1;
                    totals.then += 1;
                }
                Some(entry) if entry.would_be_there(now_ns) => totals.then += 1,
                Some(entry) => {
                    totals.expired += 1;
                    tell(Incident {
                        key,
                        time_ns: now_ns,
                        fate: Fate::Expired {
                            since_ms: (now_ns - entry.expires_ns) / NS_PER_MS,
                        },
                    });
                }
            }
        }
        for (key, entry) in &self.entries {
            // Whoever's time was over is in no listing, whether it was reaped or not.
            if !met.contains(key) && entry.was_in_table && entry.would_be_there(now_ns) {
                totals.lived_on += 1;
                totals.then += 1;
                tell(Incident {
                    key: *key,
                    time_ns: now_ns,
                    fate: Fate::LivedOn {
                        left_ms: (entry.expires_ns - now_ns) / NS_PER_MS,
                    },
                });
            }
        }
        totals.cut_off = self.cut_off.len() as u64;
        for incident in self.cut_off.values() {
            tell(*incident);
        }
        totals
    }
}
