//! Comparison of the kernel's own counters with the programs' counts.

use std::{io, os::fd::AsFd as _, panic::resume_unwind};

use rsct_common::record::CauseFamily;
use serde::{Deserialize, Serialize};

use crate::{
    kernel::{
        netlink_sockets::{NetlinkSocket, listeners},
        netns::{self, Found, NetnsError, Selector},
    },
    netlink::{
        Error, Socket,
        stats::{self, counter},
    },
};

use super::{
    Cause, delete::DeleteCause, drop::DropCause, full::FullCause, insert::InsertCause, lost::LostCause,
    nat::NatCause, tally::CauseTotals,
};

/// The counters of every namespace in scope, added up over CPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KernelCounters {
    /// By the namespace's inode number.
    pub namespaces: Vec<(u32, Vec<(u16, u64)>)>,
    /// The listeners to events, by the namespace's inode number.
    pub listeners: Vec<(u32, NetlinkSocket)>,
    /// `net.netfilter.nf_conntrack_max`, by the namespace's inode number, if the kernel sends it.
    #[serde(default)]
    pub max_entries: Vec<(u32, u32)>,
    /// The kernel's number of entries, by the namespace's inode number.
    #[serde(default)]
    pub entries: Vec<(u32, u32)>,
}

/// The counters cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CountersError {
    /// The namespace does not exist, or access is denied.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// ctnetlink refused or failed.
    #[error("in network namespace {netns}: {error}")]
    Netlink {
        /// The namespace.
        netns: String,
        /// The cause.
        error: Error,
    },
    /// The table of netlink sockets cannot be read.
    #[error("cannot read /proc/net/netlink of network namespace {netns}: {error}")]
    Listeners {
        /// The namespace.
        netns: String,
        /// The cause.
        error: io::Error,
    },
}

impl KernelCounters {
    /// Reads the counters.
    pub(crate) async fn read(selector: &Selector) -> Result<Self, CountersError> {
        let mut counters = Self::default();
        for netns in open(selector).await?.namespaces {
            let failed = |error| CountersError::Netlink {
                netns: netns.name.to_string(),
                error,
            };
            let mut socket = match selector {
                // Entering the current namespace needs no privileges.
                Selector::Current => Socket::open(),
                _ => Socket::open_in(netns.as_fd()),
            }
            .map_err(failed)?;
            let cpus = stats::per_cpu(&mut socket).await.map_err(failed)?;
            counters
                .namespaces
                .push((netns.inode as u32, stats::total(&cpus)));
            let table = stats::table(&mut socket).await.map_err(failed)?;
            counters.entries.push((netns.inode as u32, table.entries));
            counters
                .max_entries
                .extend(table.max_entries.map(|max| (netns.inode as u32, max)));
            let found = listeners((!matches!(selector, Selector::Current)).then(|| netns.as_fd()));
            let found = found.map_err(|error| CountersError::Listeners {
                netns: netns.name.to_string(),
                error,
            })?;
            counters
                .listeners
                .extend(found.into_iter().map(|listener| (netns.inode as u32, listener)));
        }
        Ok(counters)
    }

    /// Keeps those of one namespace.
    pub(crate) fn keep_only(&mut self, netns: u32) {
        self.namespaces.retain(|(of, _)| *of == netns);
        self.listeners.retain(|(of, _)| *of == netns);
        self.max_entries.retain(|(of, _)| *of == netns);
        self.entries.retain(|(of, _)| *of == netns);
    }

    /// Returns the growth of each counter since `before`, over all namespaces of both readings. The kernel's counters
    /// have 32 bits, and wrap around.
    pub(crate) fn since(&self, before: &Self) -> Vec<(&'static str, u64)> {
        let mut grown: Vec<(&'static str, u64)> = Vec::new();
        for (inode, counters) in &self.namespaces {
            let earlier = before.namespaces.iter().find(|(known, _)| known == inode);
            for (number, value) in counters {
                let Some(name) = counter::name(*number) else {
                    continue;
                };
                let earlier = earlier
                    .and_then(|(_, counters)| counters.iter().find(|(known, _)| known == number))
                    .map_or(0, |(_, value)| *value);
                let growth = u64::from((*value as u32).wrapping_sub(earlier as u32));
                match grown.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, sum)) => *sum += growth,
                    None => grown.push((name, growth)),
                }
            }
        }
        grown.push((NETLINK_DROPS, self.drops_since(before)));
        grown
    }

    /// True if the namespace was read; on a kernel without network namespaces it has no number.
    fn has(&self, netns: u32) -> bool {
        netns == 0 || self.namespaces.iter().any(|(known, _)| *known == netns)
    }

    /// Returns the growth of the drops of the current listeners.
    fn drops_since(&self, before: &Self) -> u64 {
        let drops = |counters: &Self, inode: u64| {
            let found = counters.listeners.iter().find(|(_, one)| one.inode == inode);
            found.map_or(0, |(_, one)| one.drops)
        };
        self.listeners
            .iter()
            .map(|(_, one)| one.drops.saturating_sub(drops(before, one.inode)))
            .sum()
    }
}

/// Opens the namespaces: on another thread if it may take long, so that records are still read.
pub(crate) async fn open(selector: &Selector) -> Result<Found, NetnsError> {
    match selector {
        Selector::Current => netns::open(selector),
        _ => {
            let selector = selector.clone();
            let opening = tokio::task::spawn_blocking(move || netns::open(&selector));
            opening
                .await
                .unwrap_or_else(|error| resume_unwind(error.into_panic()))
        }
    }
}

/// The drops in /proc/net/netlink of listeners to conntrack's events.
pub(crate) const NETLINK_DROPS: &str = "netlink_drops";

/// Causes and the kernel counters that must agree with them.
#[derive(Clone, Copy)]
pub(crate) struct Comparison {
    /// The name of the compared thing, for users.
    pub what: &'static str,
    /// The kernel's counters, added up.
    pub counters: &'static [&'static str],
    /// The causes that increase them.
    ours: fn(Cause) -> bool,
    /// True if other events increase them too: then the counters are at least as high.
    pub others_too: bool,
}

/// The result of a comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CounterCheck {
    /// The name of the compared thing, for users.
    pub what: &'static str,
    /// The kernel's counters, and the growth of each.
    pub counters: Vec<(&'static str, u64)>,
    /// The programs' count.
    pub ours: u64,
    /// True if other events increase the counters too.
    pub others_too: bool,
    /// Why one side is unknown, if so.
    pub unknown: Option<String>,
}

impl CounterCheck {
    /// Returns the kernel's total.
    pub(crate) fn theirs(&self) -> u64 {
        self.counters.iter().map(|(_, growth)| growth).sum()
    }

    /// True if both sides agree.
    pub(crate) fn agrees(&self) -> bool {
        if self.others_too {
            self.theirs() >= self.ours
        } else {
            self.theirs() == self.ours
        }
    }
}

/// The comparisons for a family.
pub(crate) fn comparisons(family: CauseFamily) -> &'static [Comparison] {
    match family {
        // An ICMP error of an unknown flow increases `error`, and its packet is INVALID too.
        CauseFamily::Invalid => &[Comparison {
            what: "INVALID packets",
            counters: &["invalid", "error"],
            ours: |cause| matches!(cause, Cause::Invalid(_)),
            others_too: false,
        }],
        CauseFamily::Delete => &[EARLY_DROP],
        CauseFamily::Full => &[
            EARLY_DROP,
            // Failed inserts increase it as well.
            Comparison {
                what: "packets dropped without an entry",
                counters: &["drop"],
                ours: |cause| matches!(cause, Cause::Full(FullCause::Refused | FullCause::NoMemory)),
                others_too: true,
            },
        ],
        CauseFamily::Insert => &[
            Comparison {
                what: "entries that could not be inserted",
                counters: &["insert_failed"],
                ours: |cause| matches!(cause, Cause::Insert(cause) if cause.is_failure()),
                others_too: false,
            },
            Comparison {
                what: "resolved clashes",
                counters: &["clash_resolve"],
                ours: |cause| {
                    matches!(
                        cause,
                        Cause::Insert(InsertCause::ClashResolved | InsertCause::ClashHidden)
                    )
                },
                others_too: false,
            },
            Comparison {
                what: "hash buckets with too many entries",
                counters: &["chaintoolong"],
                ours: |cause| {
                    matches!(
                        cause,
                        Cause::Insert(InsertCause::ChainTooLong | InsertCause::CreateChainTooLong)
                    )
                },
                others_too: false,
            },
            // Packets without an entry increase it as well.
            Comparison {
                what: "packets dropped because of a clash",
                counters: &["drop"],
                ours: |cause| {
                    matches!(
                        cause,
                        Cause::Insert(InsertCause::ClashRefused | InsertCause::ClashUnresolved)
                    )
                },
                others_too: true,
            },
        ],
        CauseFamily::Nat => &[Comparison {
            what: "taken tuples that NAT tried",
            counters: &["found"],
            ours: |cause| matches!(cause, Cause::Nat(NatCause::Taken)),
            others_too: false,
        }],
        // A listener may also subscribe to events of other subsystems.
        CauseFamily::Lost => &[Comparison {
            what: "messages lost or deferred for current listeners",
            counters: &[NETLINK_DROPS],
            ours: |cause| matches!(cause, Cause::Lost(LostCause::Overrun | LostCause::Deferred)),
            others_too: true,
        }],
        CauseFamily::Drop => &[Comparison {
            what: "packets dropped by conntrack itself",
            counters: &["drop"],
            ours: |cause| matches!(cause, Cause::Drop(DropCause::Clash | DropCause::NoEntry)),
            others_too: false,
        }],
    }
}

const EARLY_DROP: Comparison = Comparison {
    what: "entries evicted from a full table",
    counters: &["early_drop"],
    ours: |cause| matches!(cause, Cause::Delete(DeleteCause::EarlyDrop)),
    others_too: false,
};

impl Comparison {
    /// Compares both sides.
    ///
    /// The kernel's counters of a namespace that was destroyed are unknown, so its causes are not compared.
    pub(crate) fn check(
        &self,
        tally: &CauseTotals,
        grown: &[(&'static str, u64)],
        there: &KernelCounters,
    ) -> CounterCheck {
        let missing = self
            .counters
            .iter()
            .find(|name| grown.iter().all(|(known, _)| known != *name));
        let counters = self.counters.iter().map(|name| {
            let growth = grown.iter().find(|(known, _)| known == name);
            (*name, growth.map_or(0, |(_, growth)| *growth))
        });
        CounterCheck {
            what: self.what,
            counters: counters.collect(),
            ours: tally.count_in(|netns| there.has(netns), self.ours),
            others_too: self.others_too,
            unknown: missing.map(|name| format!("this kernel has no counter {name}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listener(inode: u64, drops: u64) -> NetlinkSocket {
        NetlinkSocket {
            portid: 1,
            inode,
            groups: 7,
            drops,
        }
    }

    #[test]
    fn counters_grow_and_wrap_around() {
        let before = KernelCounters {
            namespaces: vec![(1, vec![(4, u64::from(u32::MAX)), (10, 3)])],
            listeners: vec![(1, listener(7, 3))],
            ..KernelCounters::default()
        };
        let now = KernelCounters {
            namespaces: vec![(1, vec![(4, 1), (10, 3)]), (2, vec![(4, 7)])],
            listeners: vec![(1, listener(7, 5)), (2, listener(8, 4))],
            ..KernelCounters::default()
        };
        assert_eq!(
            now.since(&before),
            [("invalid", 9), ("drop", 0), (NETLINK_DROPS, 6)]
        );
    }

    #[test]
    fn both_agree_or_not() {
        let held = |ours, theirs, others_too| CounterCheck {
            what: "",
            counters: vec![("invalid", theirs), ("error", 0)],
            ours,
            others_too,
            unknown: None,
        };
        assert!(held(3, 3, false).agrees());
        assert!(!held(3, 4, false).agrees());
        assert!(held(3, 4, true).agrees());
        assert!(!held(4, 3, true).agrees());
    }
}
