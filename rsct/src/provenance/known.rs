//! The timeouts of the traced namespaces: finds the name of the one that an entry has.

mod defaults;
mod lookup;
mod observed;
mod packet;
mod policy;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use rsct_common::record::{PacketRecord, PolicyRecord};

use crate::{
    flow::PolicyOf,
    kernel::hz::Hz,
    names::status,
    observe::{TimeoutObject, Want},
    timeouts::{Defaults, Protocol, Setter, Sight, Spans, TimeoutSource},
};

use defaults::KnownDefaults;
use lookup::Lookup;
use observed::{Match, Observed};
use packet::{PacketKey, sets_a_timeout};
use policy::KnownPolicy;

pub(crate) use packet::sight;

/// The known policies, and the defaults of each namespace. What it lacks, it wants; the caller adds it.
#[derive(Debug)]
pub(crate) struct KnownTimeouts {
    ticks: Hz,
    policies: Vec<KnownPolicy>,
    by_address: HashMap<u64, u32>,
    defaults: HashMap<u32, KnownDefaults>,
    wanted: Option<Want>,
    /// The last lookup and its result: consecutive entries often have the same.
    last: Option<(Lookup, Match)>,
    /// The last packet and its result: consecutive packets often belong to one flow.
    last_packet: Option<(PacketKey, Match)>,
}

impl KnownTimeouts {
    /// Knows nothing yet.
    pub(crate) fn new(ticks: Hz) -> Self {
        Self {
            ticks,
            policies: Vec::new(),
            by_address: HashMap::new(),
            defaults: HashMap::new(),
            wanted: None,
            last: None,
            last_packet: None,
        }
    }

    /// Returns what the last call lacks, once.
    #[inline]
    pub(crate) fn wanted(&mut self) -> Option<Want> {
        self.wanted.take()
    }

    /// Forgets the last lookups, whose results may have changed.
    fn forget(&mut self) {
        self.last = None;
        self.last_packet = None;
    }

    /// Adds the defaults of a namespace; none if they cannot be read.
    pub(crate) fn set_defaults(&mut self, netns: u32, defaults: Option<&Defaults>, now_ns: u64) {
        self.forget();
        let known = self.defaults.entry(netns).or_default();
        known.wanted_ns = now_ns;
        // Without values of a deleted namespace, the states of its last packets decide.
        known.spans = defaults.cloned().unwrap_or_default();
    }

    /// Adds the timeout objects of a namespace; none if they cannot be read.
    pub(crate) fn set_objects(&mut self, netns: u32, objects: Option<&[TimeoutObject]>, now_ns: u64) {
        self.forget();
        let Some(objects) = objects else { return };
        for policy in self.policies.iter_mut().filter(|policy| policy.netns == netns) {
            policy.wanted_ns = now_ns;
            policy.read(objects);
        }
    }

    /// The number of the policy in a record.
    pub(crate) fn policy(&mut self, record: &PolicyRecord, now_ns: u64) -> u32 {
        let spans = Spans::from_jiffies(
            Protocol::of_number(record.l4proto),
            &record.values,
            self.ticks.get(),
        );
        (self.last, self.last_packet) = (None, None);
        if let Some(&number) = self.by_address.get(&record.policy) {
            // The policy may have been replaced at its address.
            self.policies[number as usize].spans = spans;
            return number;
        }
        let number = self.policies.len() as u32;
        self.policies.push(KnownPolicy::of(record, spans, now_ns));
        self.by_address.insert(record.policy, number);
        self.wanted = Some(Want::Objects(record.netns));
        number
    }

    /// The policies that a record reports as deleted.
    pub(crate) fn ended(&mut self, record: &PolicyRecord) -> Vec<u32> {
        let policies = &self.policies;
        let mut ended = Vec::new();
        self.by_address.retain(|address, number| {
            let ends = match record.policy {
                0 => policies[*number as usize].netns == record.netns,
                policy => *address == policy,
            };
            if ends {
                ended.push(*number);
            }
            !ends
        });
        for number in &ended {
            self.policies[*number as usize].has_ended = true;
        }
        ended
    }

    /// The names of a policy, unless it is an object of nftables.
    pub(crate) fn names(&self, policy: PolicyOf) -> Option<&[String]> {
        let policy = self.policies.get(policy.number()? as usize)?;
        (!policy.of_nftables).then_some(policy.names.as_slice())
    }

    /// The source of an entry's timeout, `left_s` seconds before it expires, as far as the entry shows it.
    pub(crate) fn source_of_entry(
        &mut self,
        netns: u32,
        sight: Sight,
        policy: PolicyOf,
        left_s: u32,
        now_ns: u64,
    ) -> TimeoutSource<'_> {
        if sight.status & status::FIXED_TIMEOUT != 0 {
            return TimeoutSource::of(Setter::Fixed);
        }
        if policy == PolicyOf::UNKNOWN {
            return TimeoutSource::of(Setter::Unknown);
        }
        let observed = Observed {
            ms: u64::from(left_s) * 1000,
            tolerance_ms: u64::MAX,
        };
        let found = self.find(
            Lookup {
                netns,
                policy,
                sight,
                observed,
            },
            now_ns,
        );
        match found {
            Some(_) => self.source(Found { policy, found }),
            // More is left than any packet sets.
            None => TimeoutSource::of(Setter::Netlink),
        }
    }

    /// Finds the source of the timeout that a packet set on its entry; `None` if it set none.
    #[inline]
    pub(crate) fn find_source(
        &mut self,
        record: &PacketRecord,
        policy: PolicyOf,
        now_ns: u64,
    ) -> Option<Found> {
        if !sets_a_timeout(record) {
            return None;
        }
        let key = PacketKey::of(record, policy);
        let found = match &self.last_packet {
            Some((last, found)) if *last == key => Some(*found),
            _ => self.find_of_packet(key, record, policy, now_ns),
        };
        Some(Found { policy, found })
    }

    /// Not inlined: most packets have the key of the packet before.
    #[inline(never)]
    fn find_of_packet(
        &mut self,
        key: PacketKey,
        record: &PacketRecord,
        policy: PolicyOf,
        now_ns: u64,
    ) -> Option<Match> {
        let found = self.find(
            Lookup {
                netns: record.netns,
                policy,
                sight: sight(record),
                observed: packet::observed(record, self.ticks),
            },
            now_ns,
        );
        // A packet without a result is looked up again: the timeouts may have changed.
        self.last_packet = found.map(|found| (key, found));
        found
    }

    /// A source with its names.
    #[inline]
    pub(crate) fn source(&self, found: Found) -> TimeoutSource<'_> {
        let Found { policy, found } = found;
        let setter = match policy {
            PolicyOf::NONE => Setter::Defaults,
            PolicyOf::LOST => Setter::LostPolicy,
            PolicyOf::UNKNOWN => Setter::Unknown,
            policy => self.setter(policy),
        };
        TimeoutSource {
            setter,
            governing: found.map(|found| found.governing),
            value_ms: found.and_then(|found| found.value_ms),
        }
    }

    /// The setter of a policy with a number.
    fn setter(&self, policy: PolicyOf) -> Setter<'_> {
        match policy
            .number()
            .and_then(|number| self.policies.get(number as usize))
        {
            Some(policy) if policy.has_ended => Setter::Defaults,
            Some(policy) if policy.of_nftables => Setter::Nftables(&policy.names),
            Some(policy) => Setter::Policy(&policy.names),
            None => Setter::Defaults,
        }
    }
}

/// A source that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    policy: PolicyOf,
    found: Option<Match>,
}
