//! The timeouts of the traced namespaces: finds the name of the one that an entry has.

use std::collections::HashMap;

use rsct_common::{
    Tuple,
    record::{PacketFlags, PacketRecord, PolicyRecord},
};

use crate::{
    flow::PolicyOf,
    kernel::hz::Hz,
    names::status,
    observe::{TimeoutObject, Want},
    timeouts::{
        Defaults, GENERIC, Governing, Protocol, Setter, Sight, Spans, TcpSigns, TimeoutSource, governing,
    },
};

/// Defaults are read again when an entry has another value, but no more often than this.
const READ_AGAIN_NS: u64 = 1_000_000_000;
/// The longest time between a refresh and the record of its packet, where the refresh itself was not recorded.
const REFRESH_AGE_MS: u64 = 100;
/// The RST bit of TCP's flags.
const RST: u8 = 4;

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

/// Everything that the result of a lookup depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lookup {
    netns: u32,
    policy: PolicyOf,
    sight: Sight,
    observed: Observed,
}

/// Everything in a packet's record that the result of its lookup depends on.
#[derive(Clone, Copy, Debug)]
struct PacketKey([u64; 3]);

impl PacketKey {
    #[inline(always)]
    fn of(record: &PacketRecord, policy: PolicyOf) -> Self {
        /// REFRESHED, the two of a TCP header, and [`TcpSigns`].
        const FLAGS: u16 = PacketFlags::REFRESHED
            | PacketFlags::HEADER
            | PacketFlags::BEFORE
            | PacketFlags::UNACKNOWLEDGED
            | PacketFlags::RETRANSMITTED
            | PacketFlags::ZERO_WINDOW;
        let jiffies = if record.flags & PacketFlags::REFRESHED != 0 {
            record.refresh_jiffies
        } else if record.status_after & status::CONFIRMED != 0 {
            record.timeout_after_jiffies.wrapping_sub(record.now_jiffies)
        } else {
            record.timeout_after_jiffies
        };
        let protonum = Tuple::from_words(record.tuple).protonum;
        let [low, high] = (record.flags & FLAGS).to_le_bytes();
        let bytes = [
            low,
            high,
            record.state_after,
            protonum,
            record.tcp_flags & RST,
            0,
            0,
            0,
        ];
        Self([
            u64::from(record.netns) | u64::from(policy.to_bits()) << 32,
            u64::from(record.status_after) | u64::from(jiffies) << 32,
            u64::from_le_bytes(bytes),
        ])
    }
}

impl PartialEq for PacketKey {
    /// Without a branch for each word.
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        (a ^ x) | (b ^ y) | (c ^ z) == 0
    }
}

/// A policy of a namespace. An entry points to its values, which have no pointer to its name: the names are those of all
/// timeout objects with the same values.
#[derive(Debug)]
struct KnownPolicy {
    names: Vec<String>,
    of_nftables: bool,
    spans: Spans,
    l3num: u16,
    l4proto: u8,
    netns: u32,
    /// Its names were looked for.
    is_named: bool,
    /// When it was wanted last.
    wanted_ns: u64,
    has_ended: bool,
}

impl KnownPolicy {
    fn of(record: &PolicyRecord, spans: Spans, now_ns: u64) -> Self {
        Self {
            names: Vec::new(),
            of_nftables: false,
            spans,
            l3num: record.l3num,
            l4proto: record.l4proto,
            netns: record.netns,
            is_named: false,
            wanted_ns: now_ns,
            has_ended: false,
        }
    }

    /// Names it after the objects of its namespace, or reads its values again: it may have been replaced under its name, or
    /// deleted without a record.
    fn read(&mut self, objects: &[TimeoutObject]) {
        if self.has_ended {
            return;
        }
        if self.is_named {
            let is_it = |object: &&TimeoutObject| {
                object.is_for(self.l3num, self.l4proto) && self.names.contains(&object.name)
            };
            match objects.iter().find(is_it) {
                Some(found) => self.spans = found.spans(),
                None => self.has_ended = !self.names.is_empty(),
            }
            return;
        }
        self.is_named = true;
        let is_alike = |object: &&TimeoutObject| {
            object.is_for(self.l3num, self.l4proto) && object.has_values(&self.spans)
        };
        let alike: Vec<&TimeoutObject> = objects.iter().filter(is_alike).collect();
        self.of_nftables = !alike.is_empty() && alike.iter().all(|object| object.of_nftables);
        for object in alike {
            if !self.names.contains(&object.name) {
                self.names.push(object.name.clone());
            }
        }
    }
}

/// The defaults of a namespace.
#[derive(Debug, Default)]
struct KnownDefaults {
    /// When they were wanted last.
    wanted_ns: u64,
    spans: Defaults,
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
        let observed = if record.flags & PacketFlags::REFRESHED != 0 {
            Observed {
                ms: self.ticks.span_ms(record.refresh_jiffies),
                tolerance_ms: 0,
            }
        } else {
            let left_ms = self.ticks.left_ms(
                record.status_after,
                record.timeout_after_jiffies,
                record.now_jiffies,
            );
            Observed {
                ms: u64::try_from(left_ms).unwrap_or(0),
                tolerance_ms: REFRESH_AGE_MS,
            }
        };
        let found = self.find(
            Lookup {
                netns: record.netns,
                policy,
                sight: sight(record),
                observed,
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

    fn find(&mut self, lookup: Lookup, now_ns: u64) -> Option<Match> {
        if let Some((last, found)) = &self.last
            && *last == lookup
        {
            return Some(*found);
        }
        let found = self.find_anew(&lookup, now_ns);
        // A lookup without a result is repeated: the timeouts may have changed.
        self.last = found.map(|found| (lookup, found));
        found
    }

    fn find_anew(&mut self, lookup: &Lookup, now_ns: u64) -> Option<Match> {
        let Lookup {
            netns,
            policy,
            sight,
            observed,
        } = lookup;
        match policy.number() {
            Some(number) => {
                let policy = self.policies.get_mut(number as usize)?;
                let of_state = observed.of_state(sight, &policy.spans);
                if of_state.is_some() && !policy.has_ended {
                    return of_state;
                }
                if now_ns >= policy.wanted_ns + READ_AGAIN_NS {
                    policy.wanted_ns = now_ns;
                    self.wanted = Some(Want::Objects(*netns));
                }
                if policy.has_ended {
                    return self.default(*netns, sight, *observed, now_ns);
                }
                observed.of_any(sight, &policy.spans)
            }
            None if [PolicyOf::LOST, PolicyOf::UNKNOWN].contains(policy) => {
                governing(sight, None).map(Match::without_value)
            }
            None => self.default(*netns, sight, *observed, now_ns),
        }
    }

    /// The default of a namespace that has this value.
    fn default(&mut self, netns: u32, sight: &Sight, observed: Observed, now_ns: u64) -> Option<Match> {
        let Some(known) = self.defaults.get_mut(&netns) else {
            self.wanted = Some(Want::Defaults(netns));
            let known = KnownDefaults {
                wanted_ns: now_ns,
                ..KnownDefaults::default()
            };
            return self
                .defaults
                .entry(netns)
                .or_insert(known)
                .of_any(sight, observed);
        };
        if let Some(found) = known.of_state(sight, observed) {
            return Some(found);
        }
        // They may have changed since.
        if now_ns >= known.wanted_ns + READ_AGAIN_NS {
            known.wanted_ns = now_ns;
            self.wanted = Some(Want::Defaults(netns));
        }
        known.of_any(sight, observed)
    }
}

impl KnownDefaults {
    fn of_state(&self, sight: &Sight, observed: Observed) -> Option<Match> {
        let (sight, spans) = self.handled(sight)?;
        observed.of_state(&sight, spans)
    }

    fn of_any(&self, sight: &Sight, observed: Observed) -> Option<Match> {
        match self.handled(sight) {
            Some((sight, spans)) => observed.of_any(&sight, spans),
            None => governing(sight, None).map(Match::without_value),
        }
    }

    /// The timeouts of an entry's protocol; the generic ones if this kernel has no handler for it.
    fn handled(&self, sight: &Sight) -> Option<(Sight, &Spans)> {
        let number = Protocol::of_number(sight.protonum).number;
        if let Some(spans) = self.spans.get(&number) {
            return Some((*sight, spans));
        }
        let as_generic = Sight {
            protonum: GENERIC,
            ..*sight
        };
        Some((as_generic, self.spans.get(&GENERIC)?))
    }
}

/// A source that was found.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    policy: PolicyOf,
    found: Option<Match>,
}

/// The timeout that an entry has, and its value if that is known.
#[derive(Clone, Copy, Debug)]
struct Match {
    governing: Governing,
    value_ms: Option<u64>,
}

impl Match {
    /// One of unknown value.
    fn without_value(governing: Governing) -> Self {
        Self {
            governing,
            value_ms: None,
        }
    }
}

/// The timeout observed on an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Observed {
    ms: u64,
    /// The timeout that was set may exceed the observed one by this much.
    tolerance_ms: u64,
}

impl Observed {
    fn fits(self, ms: u64) -> bool {
        (self.ms..=self.ms.saturating_add(self.tolerance_ms)).contains(&ms)
    }

    /// The timeout of an entry in this state, if it has the observed value.
    fn of_state(self, sight: &Sight, spans: &Spans) -> Option<Match> {
        let governing = governing(sight, Some(spans))?;
        match spans.of(governing.state.attribute) {
            // No sysctl has its value.
            None => Some(Match::without_value(governing)),
            Some(ms) => self.fits(ms).then_some(Match {
                governing,
                value_ms: Some(ms),
            }),
        }
    }

    /// The same, or else the only timeout of the protocol that has the observed value.
    fn of_any(self, sight: &Sight, spans: &Spans) -> Option<Match> {
        let other = || {
            let mut with = spans.iter().filter(|(_, ms)| self.fits(*ms));
            let (attribute, ms) = with.next()?;
            let state = Protocol::of_number(sight.protonum).state_of_attribute(attribute)?;
            let governing = Governing {
                state,
                reduction: None,
            };
            with.next().is_none().then_some(Match {
                governing,
                value_ms: Some(ms),
            })
        };
        self.of_state(sight, spans).or_else(other)
    }
}

/// Returns whether a packet set its entry's timeout, even to the value that it had.
fn sets_a_timeout(record: &PacketRecord) -> bool {
    let has = |flag| record.flags & flag != 0;
    has(PacketFlags::AFTER)
        && !has(PacketFlags::SEEN_ALREADY)
        && (!has(PacketFlags::BEFORE)
            || has(PacketFlags::REFRESHED)
            || record.timeout_before_jiffies != record.timeout_after_jiffies)
}

/// The tracker's view of a packet's entry after the packet.
pub(crate) fn sight(record: &PacketRecord) -> Sight {
    let has = |flag| record.flags & flag != 0;
    Sight {
        protonum: Tuple::from_words(record.tuple).protonum,
        state: record.state_after,
        status: record.status_after,
        tcp: TcpSigns {
            unacknowledged: has(PacketFlags::UNACKNOWLEDGED),
            retransmitted: has(PacketFlags::RETRANSMITTED),
            zero_window: has(PacketFlags::ZERO_WINDOW),
            reset: record.has_tcp() && record.tcp_flags & RST != 0,
        },
    }
}
