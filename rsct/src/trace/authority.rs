//! The authority on which entries exist: dumps of every namespace in scope.
//!
//! Nothing is held open between dumps: a socket or a descriptor would keep a namespace alive that
//! everybody else has left.

use std::{collections::HashSet, ops::ControlFlow, os::fd::AsFd as _, panic::resume_unwind};

use crate::{
    filter::Filter,
    flow::{
        reconcile::{Coverage, Dumped},
        table::TupleKey,
    },
    kernel::netns::{self, Found, Netns, NetnsError, Selector},
    netlink::{Error, Socket, conntrack::Entry, dump, stats},
};

/// Where dumps come from.
pub struct Authority {
    selector: Selector,
    only: Option<u32>,
    filter: Filter,
}

/// Why a dump could not be had, in one sentence.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The namespace is not there, or not ours to look at.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// ctnetlink refused or failed.
    #[error("in network namespace {netns}: {error}")]
    Netlink {
        /// The namespace.
        netns: String,
        /// What went wrong.
        error: Error,
    },
}

impl Authority {
    /// Looks the namespaces up.
    pub fn open(selector: Selector, filter: Filter) -> Result<Self, NetnsError> {
        let found = netns::open(&selector)?;
        let only = match selector {
            Selector::All => None,
            _ => found.namespaces.first().map(|netns| netns.inode as u32),
        };
        Ok(Self {
            selector,
            only,
            filter,
        })
    }

    /// The one namespace in scope, or none where it is all of them.
    pub fn only_netns(&self) -> Option<u32> {
        self.only
    }

    /// Dumps every namespace in scope. One that fails does not keep the others from being dumped.
    pub async fn dump(&self, mut take: impl FnMut(&Dumped)) -> Covered {
        let mut covered = Covered::default();
        let found = match self.look_up().await {
            Ok(found) => found,
            Err(error) => {
                covered.errors.push(error.into());
                return covered;
            }
        };
        covered.is_all = self.selector == Selector::All;
        for netns in found.namespaces {
            covered.opened.insert(netns.inode as u32);
            match self.dump_one(&netns, &mut take).await {
                Ok(()) => {
                    covered.whole.insert(netns.inode as u32);
                }
                Err(error) => {
                    // Without the rights to read one, none can be read.
                    let is_last = error.is_not_permitted();
                    let netns = netns.name.to_string();
                    covered.errors.push(AuthorityError::Netlink { netns, error });
                    if is_last {
                        break;
                    }
                }
            }
        }
        covered
    }

    /// Whether all entries of the namespaces are in scope.
    pub fn is_unfiltered(&self) -> bool {
        self.filter.is_empty()
    }

    /// How many entries the table has, if it is one namespace's and no filter narrows it.
    pub async fn count(&self) -> Option<u32> {
        if self.only.is_none() || !self.is_unfiltered() {
            return None;
        }
        let netns = netns::open(&self.selector).ok()?.namespaces.into_iter().next()?;
        let mut socket = match self.selector {
            Selector::Current => Socket::open(),
            _ => Socket::open_in(netns.as_fd()),
        }
        .ok()?;
        Some(stats::table(&mut socket).await.ok()?.entries)
    }

    /// On another thread where it may take long: records come in meanwhile.
    async fn look_up(&self) -> Result<Found, NetnsError> {
        match self.selector {
            Selector::Current => netns::open(&self.selector),
            _ => {
                let selector = self.selector.clone();
                let looking = tokio::task::spawn_blocking(move || netns::open(&selector));
                looking
                    .await
                    .unwrap_or_else(|error| resume_unwind(error.into_panic()))
            }
        }
    }

    async fn dump_one(&self, netns: &Netns, take: &mut impl FnMut(&Dumped)) -> Result<(), Error> {
        let mut socket = match self.selector {
            // The current namespace needs no rights to be entered.
            Selector::Current => Socket::open(),
            _ => Socket::open_in(netns.as_fd()),
        }?;
        let mut sink = Sink {
            netns: netns.inode as u32,
            filter: &self.filter,
            take,
        };
        let query = dump::Query::of_family(self.filter.family);
        dump::entries(&mut socket, &query, &mut sink).await?;
        Ok(())
    }
}

/// The namespaces that a dump covered.
#[derive(Default)]
pub struct Covered {
    /// Why others are missing.
    pub errors: Vec<AuthorityError>,
    is_all: bool,
    opened: HashSet<u32>,
    whole: HashSet<u32>,
}

impl Covered {
    /// How much of a namespace's entries the dump had.
    pub fn of(&self, netns: u32) -> Coverage {
        if self.whole.contains(&netns) {
            Coverage::Whole
        } else if self.is_all && !self.opened.contains(&netns) {
            Coverage::Unreached
        } else {
            Coverage::NotAsked
        }
    }
}

struct Sink<'a, F> {
    netns: u32,
    filter: &'a Filter,
    take: &'a mut F,
}

impl<F: FnMut(&Dumped)> dump::Sink for Sink<'_, F> {
    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        let zone = entry.zone_number();
        let mark = entry.mark.unwrap_or(0);
        if self.filter.matches(&entry.orig, &entry.reply, zone, mark) {
            (self.take)(&Dumped {
                key: TupleKey {
                    netns: self.netns,
                    zone,
                    orig: entry.orig.to_words(),
                },
                reply: entry.reply.to_words(),
                status: entry.status.unwrap_or(0),
                state: entry
                    .protoinfo
                    .as_ref()
                    .and_then(|info| info.state())
                    .unwrap_or(0),
                mark,
                timeout_seconds: entry.timeout,
            });
        }
        ControlFlow::Continue(())
    }

    /// Taking an entry twice does no harm: the table knows it by its tuple.
    fn restart(&mut self) -> bool {
        true
    }
}
