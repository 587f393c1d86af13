//! Which timeouts there are in the namespaces under trace, so that one that an entry has can be told by its name.

use std::collections::HashMap;

use rsct_common::{
    Tuple,
    record::{PacketFlags, PacketRecord, PolicyRecord},
};

use crate::{
    flow::{names::status, observation::Ticks, table::PolicyOf},
    kernel::clock,
    timeouts::{GENERIC, Governing, Protocol, Setter, Sight, Source, Spans, TcpSigns, governing},
};

use super::namespace::{Given, defaults, given};

/// Defaults are read again when an entry was given something else, but no more often than this.
const READ_AGAIN_NS: u64 = 1_000_000_000;
/// What may lie between a refresh and the record of its packet, where the refresh itself was not seen.
const UNSEEN_MS: u64 = 100;
/// TCP's flag.
const RST: u8 = 4;

/// All that is known.
pub struct Known {
    ticks: Ticks,
    policies: Vec<Policy>,
    by_address: HashMap<u64, u32>,
    defaults: HashMap<u32, Defaults>,
    /// What was asked last, and the answer: packets come in runs.
    last: Option<(Question, Option<Found>)>,
}

/// Everything that an answer depends on.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Question {
    netns: u32,
    policy: PolicyOf,
    sight: Sight,
    asked: Asked,
}

/// What governs flows: an entry points to what it says, and from there no way leads to its name. So the names are those
/// of all that say the same.
struct Policy {
    names: Vec<String>,
    of_nftables: bool,
    spans: Spans,
    l3num: u16,
    l4proto: u8,
    netns: u32,
    read_ns: u64,
    has_ended: bool,
}

impl Policy {
    fn of(record: &PolicyRecord, spans: Spans) -> Self {
        let (l3num, l4proto) = (record.l3num, record.l4proto);
        let mut alike = given(record.netns).unwrap_or_default();
        alike.retain(|given| given.is_for(l3num, l4proto) && given.says(&spans));
        let mut names: Vec<String> = Vec::new();
        for given in &alike {
            if !names.contains(&given.name) {
                names.push(given.name.clone());
            }
        }
        Self {
            of_nftables: !alike.is_empty() && alike.iter().all(|given| given.of_nftables),
            names,
            spans,
            l3num,
            l4proto,
            netns: record.netns,
            read_ns: clock::monotonic_ns(),
            has_ended: false,
        }
    }

    /// It can be changed in its place, or be gone with nobody looking: what it says now, if it still has its name.
    fn read_again(&mut self, now_ns: u64) {
        self.read_ns = now_ns;
        let Ok(given) = given(self.netns) else {
            return;
        };
        let is_it =
            |given: &&Given| given.is_for(self.l3num, self.l4proto) && self.names.contains(&given.name);
        match given.iter().find(is_it) {
            Some(found) => self.spans = found.spans(),
            None => self.has_ended = !self.names.is_empty(),
        }
    }
}

struct Defaults {
    read_ns: u64,
    spans: HashMap<u8, Spans>,
}

impl Known {
    /// Nothing yet, on a kernel with so many jiffies a second.
    pub fn new(ticks: Ticks) -> Self {
        Self {
            ticks,
            policies: Vec::new(),
            by_address: HashMap::new(),
            defaults: HashMap::new(),
            last: None,
        }
    }

    /// The number of the policy that a record tells of.
    pub fn policy(&mut self, record: &PolicyRecord) -> u32 {
        let spans = Spans::from_jiffies(Protocol::of_number(record.l4proto), &record.values, self.ticks.0);
        self.last = None;
        if let Some(&number) = self.by_address.get(&record.policy) {
            // It can be changed where it is.
            self.policies[number as usize].spans = spans;
            return number;
        }
        let number = self.policies.len() as u32;
        self.policies.push(Policy::of(record, spans));
        self.by_address.insert(record.policy, number);
        number
    }

    /// The policies that a record says are at their end.
    pub fn ended(&mut self, record: &PolicyRecord) -> Vec<u32> {
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

    /// The names of a policy that is no timeout of nftables' own.
    pub fn names(&self, policy: PolicyOf) -> Option<&[String]> {
        let policy = self.policies.get(policy.number()? as usize)?;
        (!policy.of_nftables).then_some(policy.names.as_slice())
    }

    /// Where an entry's timeout comes from, `left_s` seconds before it runs out, as far as the entry shows.
    pub fn source_of_entry(&mut self, netns: u32, sight: Sight, policy: PolicyOf, left_s: u32) -> Source<'_> {
        if sight.status & status::FIXED_TIMEOUT != 0 {
            return Source::of(Setter::Fixed);
        }
        let asked = Asked {
            ms: u64::from(left_s) * 1000,
            give_ms: u64::MAX,
        };
        let found = self.ask(Question {
            netns,
            policy,
            sight,
            asked,
        });
        match found {
            Some(_) => self.source(policy, found),
            // More is left than any packet gives.
            None => Source::of(Setter::ByHand),
        }
    }

    /// Where the timeout comes from that a packet gave its entry; `None` where it gave none.
    pub fn source_of(&mut self, record: &PacketRecord, policy: PolicyOf) -> Option<Source<'_>> {
        if !gives_a_timeout(record) {
            return None;
        }
        let left_ms = self.ticks.left_ms(
            record.status_after,
            record.timeout_after_jiffies,
            record.now_jiffies,
        );
        let asked = if record.flags & PacketFlags::REFRESHED != 0 {
            Asked {
                ms: self.ticks.span_ms(record.refresh_jiffies),
                give_ms: 0,
            }
        } else {
            Asked {
                ms: u64::try_from(left_ms).unwrap_or(0),
                give_ms: UNSEEN_MS,
            }
        };
        let found = self.ask(Question {
            netns: record.netns,
            policy,
            sight: sight(record),
            asked,
        });
        Some(self.source(policy, found))
    }

    fn source(&self, policy: PolicyOf, found: Option<Found>) -> Source<'_> {
        Source {
            setter: match policy
                .number()
                .and_then(|number| self.policies.get(number as usize))
            {
                Some(policy) if policy.has_ended => Setter::Defaults,
                Some(policy) if policy.of_nftables => Setter::Nftables(&policy.names),
                Some(policy) => Setter::Policy(&policy.names),
                None if policy == PolicyOf::LOST => Setter::LostPolicy,
                None => Setter::Defaults,
            },
            governing: found.map(|found| found.governing),
            value_ms: found.and_then(|found| found.value_ms),
        }
    }

    fn ask(&mut self, question: Question) -> Option<Found> {
        let found = match self.last {
            // Whether none of them has this value is asked again: they may have been changed.
            Some((last, found @ Some(_))) if last == question => found,
            _ => self.answer(&question),
        };
        self.last = Some((question, found));
        found
    }

    fn answer(&mut self, question: &Question) -> Option<Found> {
        let Question {
            netns,
            policy,
            sight,
            asked,
        } = question;
        match policy.number() {
            Some(number) => {
                let policy = self.policies.get_mut(number as usize)?;
                let exactly = asked.exactly(sight, &policy.spans);
                if exactly.is_some() && !policy.has_ended {
                    return exactly;
                }
                let now_ns = clock::monotonic_ns();
                if now_ns >= policy.read_ns + READ_AGAIN_NS {
                    policy.read_again(now_ns);
                }
                if policy.has_ended {
                    return self.default(*netns, sight, *asked);
                }
                asked.which(sight, &policy.spans)
            }
            None if *policy == PolicyOf::LOST => governing(sight, None).map(Found::unmeasured),
            None => self.default(*netns, sight, *asked),
        }
    }

    /// Which of a namespace's defaults it is.
    fn default(&mut self, netns: u32, sight: &Sight, asked: Asked) -> Option<Found> {
        let known = self
            .defaults
            .entry(netns)
            .or_insert_with(|| Defaults::of(netns, clock::monotonic_ns()));
        if let Some(found) = known.exactly(sight, asked) {
            return Some(found);
        }
        // They may have been changed since.
        let now_ns = clock::monotonic_ns();
        if now_ns >= known.read_ns + READ_AGAIN_NS {
            *known = Defaults::of(netns, now_ns);
        }
        known.which(sight, asked)
    }
}

impl Defaults {
    fn of(netns: u32, now_ns: u64) -> Self {
        Self {
            read_ns: now_ns,
            // A namespace that is gone: what its last packets got is told by their states.
            spans: defaults(netns).unwrap_or_default(),
        }
    }

    fn exactly(&self, sight: &Sight, asked: Asked) -> Option<Found> {
        let (sight, spans) = self.handled(sight)?;
        asked.exactly(&sight, spans)
    }

    fn which(&self, sight: &Sight, asked: Asked) -> Option<Found> {
        match self.handled(sight) {
            Some((sight, spans)) => asked.which(&sight, spans),
            None => governing(sight, None).map(Found::unmeasured),
        }
    }

    /// The timeouts that hold for an entry's protocol: the generic ones where this kernel has no handler for it.
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

/// A timeout that was found, and its value where that is known.
#[derive(Clone, Copy)]
struct Found {
    governing: Governing,
    value_ms: Option<u64>,
}

impl Found {
    /// One whose value nothing tells.
    fn unmeasured(governing: Governing) -> Self {
        Self {
            governing,
            value_ms: None,
        }
    }
}

/// What an entry was given.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Asked {
    ms: u64,
    /// How much more it may have been.
    give_ms: u64,
}

impl Asked {
    fn is(self, ms: u64) -> bool {
        (self.ms..=self.ms.saturating_add(self.give_ms)).contains(&ms)
    }

    /// The timeout that an entry in this state gets, where it has this value.
    fn exactly(self, sight: &Sight, spans: &Spans) -> Option<Found> {
        let governing = governing(sight, Some(spans))?;
        match spans.of(governing.state.attribute) {
            // No sysctl tells of it.
            None => Some(Found::unmeasured(governing)),
            Some(ms) => self.is(ms).then_some(Found {
                governing,
                value_ms: Some(ms),
            }),
        }
    }

    /// The same, or else the one timeout of the protocol that has this value.
    fn which(self, sight: &Sight, spans: &Spans) -> Option<Found> {
        let other = || {
            let mut with = spans.iter().filter(|(_, ms)| self.is(*ms));
            let (attribute, ms) = with.next()?;
            let state = Protocol::of_number(sight.protonum).state_of_attribute(attribute)?;
            let governing = Governing {
                state,
                reduction: None,
            };
            with.next().is_none().then_some(Found {
                governing,
                value_ms: Some(ms),
            })
        };
        self.exactly(sight, spans).or_else(other)
    }
}

/// Whether a packet gave its entry a timeout, be it the one that it had.
fn gives_a_timeout(record: &PacketRecord) -> bool {
    let has = |flag| record.flags & flag != 0;
    has(PacketFlags::AFTER)
        && !has(PacketFlags::SEEN_ALREADY)
        && (!has(PacketFlags::BEFORE)
            || has(PacketFlags::REFRESHED)
            || record.timeout_before_jiffies != record.timeout_after_jiffies)
}

/// What the tracker sees of a packet's entry after it.
pub fn sight(record: &PacketRecord) -> Sight {
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
