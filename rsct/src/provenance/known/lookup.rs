//! Lookups of the timeout that an entry has. A lookup without a result reads the values again, but not more often than once a second.

use crate::{
    flow::PolicyOf,
    observe::Want,
    timeouts::{Sight, governing},
};

use super::{
    KnownTimeouts,
    defaults::KnownDefaults,
    observed::{Match, Observed},
};

/// Defaults are read again when an entry has another value, but no more often than this.
const READ_AGAIN_NS: u64 = 1_000_000_000;

/// Everything that the result of a lookup depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lookup {
    pub(super) netns: u32,
    pub(super) policy: PolicyOf,
    pub(super) sight: Sight,
    pub(super) observed: Observed,
}

impl KnownTimeouts {
    /// Finds the timeout that an entry has.
    pub(super) fn find(&mut self, lookup: Lookup, now_ns: u64) -> Option<Match> {
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
