//! A snapshot of the eBPF programs' counters.

use std::collections::BTreeMap;

use rsct_common::latency::{ConfirmOutcome, Function, NatOutcome, PassOutcome, by};
use serde::{Deserialize, Serialize};

use super::Tally;
use crate::names;

/// The attribute by which durations are grouped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// The function's outcome.
    #[default]
    Outcome,
    /// The IP protocol.
    Proto,
    /// The network namespace.
    Netns,
    /// Netfilter's hook.
    Hook,
    /// The CPU.
    Cpu,
}

impl By {
    /// The setting for the eBPF programs.
    pub(crate) fn setting(self) -> u32 {
        match self {
            Self::Outcome => by::OUTCOME,
            Self::Proto => by::PROTO,
            Self::Netns => by::NETNS,
            Self::Hook => by::HOOK,
            Self::Cpu => by::CPU,
        }
    }

    /// The name on the command line and in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Outcome => "outcome",
            Self::Proto => "proto",
            Self::Netns => "netns",
            Self::Hook => "hook",
            Self::Cpu => "cpu",
        }
    }
}

/// A value of that attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key {
    /// All calls: a lock has no outcome, and garbage collection has no protocol.
    All,
    /// An outcome, by the function's own numbers.
    Outcome(u8),
    /// A protocol's number.
    Proto(u8),
    /// A namespace's inode number.
    Netns(u32),
    /// A hook's number.
    Hook(u8),
    /// A CPU's number.
    Cpu(u32),
}

impl Key {
    /// An outcome's name.
    pub(crate) fn outcome(function: Function, outcome: u8) -> &'static str {
        let names: &[&'static str] = match function {
            Function::ConntrackIn => &PassOutcome::NAMES,
            Function::Confirm => &ConfirmOutcome::NAMES,
            Function::NatSetup => &NatOutcome::NAMES,
            _ => &["all"],
        };
        names.get(usize::from(outcome)).copied().unwrap_or("?")
    }

    /// The name for users; a namespace's name is its inode number, which the caller replaces if it knows a better one.
    pub(crate) fn name(self, function: Function) -> String {
        match self {
            Self::All => "all".to_owned(),
            Self::Outcome(outcome) => Self::outcome(function, outcome).to_owned(),
            Self::Proto(number) => {
                names::proto::name(number).map_or_else(|| number.to_string(), str::to_owned)
            }
            Self::Netns(inode) => inode.to_string(),
            Self::Hook(hook) => names::hook(hook).to_owned(),
            Self::Cpu(cpu) => format!("CPU {cpu}"),
        }
    }
}

/// Packets at which `nf_conntrack_in` returns at once, which are not timed, and calls without an observed return.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Packets that had an entry on arrival.
    pub tracked_already: u64,
    /// Packets that a rule made untracked.
    pub untracked_already: u64,
    /// Calls of each function without an observed return: still running, or their start was lost.
    pub unfinished: BTreeMap<Function, u64>,
}

/// Work of garbage collection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gc {
    /// Buckets scanned in each run.
    pub buckets: Tally,
    /// Entries removed in each run.
    pub reaped: Tally,
    /// Delay in jiffies of each expired entry.
    pub late: Tally,
    /// Entries evicted before they expired, because the table was nearly full.
    pub evicted: u64,
}

/// All counters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Durations in nanoseconds.
    pub durations: BTreeMap<(Function, Key), Tally>,
    /// Counters without durations.
    pub counts: Counts,
    /// Garbage collection.
    pub gc: Gc,
}

impl Reading {
    /// The difference to an earlier snapshot.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let none = Tally::default();
        let durations = self.durations.iter().map(|(of, tally)| {
            let then = earlier.durations.get(of).unwrap_or(&none);
            (*of, tally.since(then))
        });
        Self {
            durations: durations.filter(|(_, tally)| tally.count() != 0).collect(),
            counts: Counts {
                tracked_already: self
                    .counts
                    .tracked_already
                    .saturating_sub(earlier.counts.tracked_already),
                untracked_already: self
                    .counts
                    .untracked_already
                    .saturating_sub(earlier.counts.untracked_already),
                unfinished: self
                    .counts
                    .unfinished
                    .iter()
                    .map(|(of, now)| {
                        let then = earlier.counts.unfinished.get(of).unwrap_or(&0);
                        (*of, now.saturating_sub(*then))
                    })
                    .filter(|(_, count)| *count != 0)
                    .collect(),
            },
            gc: Gc {
                buckets: self.gc.buckets.since(&earlier.gc.buckets),
                reaped: self.gc.reaped.since(&earlier.gc.reaped),
                late: self.gc.late.since(&earlier.gc.late),
                evicted: self.gc.evicted.saturating_sub(earlier.gc.evicted),
            },
        }
    }

    /// A function's durations for each key.
    pub(crate) fn of(&self, function: Function) -> impl Iterator<Item = (Key, &Tally)> + '_ {
        self.durations
            .range((function, Key::All)..)
            .take_while(move |((of, _), _)| *of == function)
            .map(|((_, key), tally)| (*key, tally))
    }

    /// A function's durations for all keys together.
    pub(crate) fn total(&self, function: Function) -> Tally {
        let mut total = Tally::default();
        for (_, tally) in self.of(function) {
            total.merge(tally);
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::tally::tally_of;

    #[test]
    fn since_is_the_difference() {
        let created = (Function::ConntrackIn, Key::Outcome(0));
        let tracked = (Function::ConntrackIn, Key::Outcome(1));
        let mut before = Reading::default();
        before.durations.insert(created, tally_of(&[100]));
        before.counts.tracked_already = 3;
        let mut after = before.clone();
        after.durations.insert(tracked, tally_of(&[70, 80]));
        after.counts.tracked_already = 5;
        let since = after.since(&before);
        let keys: Vec<Key> = since.of(Function::ConntrackIn).map(|(key, _)| key).collect();
        assert_eq!(keys, [Key::Outcome(1)], "nothing was created meanwhile");
        assert_eq!(since.total(Function::ConntrackIn).count(), 2);
        assert_eq!(since.counts.tracked_already, 2);
        assert_eq!(since.of(Function::Confirm).count(), 0);
    }

    #[test]
    fn keys_have_the_kernels_names() {
        for (key, function, name) in [
            (Key::Outcome(0), Function::ConntrackIn, "created"),
            (Key::Outcome(2), Function::Confirm, "dropped"),
            (Key::Outcome(1), Function::NatSetup, "failed"),
            (Key::Outcome(9), Function::NatSetup, "?"),
            (Key::Proto(17), Function::ConntrackIn, "udp"),
            (Key::Hook(3), Function::ConntrackIn, "LOCAL_OUT"),
            (Key::Cpu(1), Function::Lock, "CPU 1"),
            (Key::All, Function::Gc, "all"),
        ] {
            assert_eq!(key.name(function), name);
        }
    }
}
