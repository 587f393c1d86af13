//! Dumps of every network namespace in scope, which decide which entries exist.
//!
//! Nothing stays open between dumps: a socket or a descriptor would keep an otherwise unused namespace alive.

use std::{ops::ControlFlow, os::fd::AsFd as _, panic::resume_unwind};

use rsct_common::Tuple;

use crate::{
    filter::Filter,
    flow::{TupleKey, reconcile::DumpedEntry},
    kernel::netns::{self, Found, Netns, NetnsError, Selector},
    netlink::{Error, Socket, conntrack::Entry, dump, lookup, stats},
    observe::Covered,
};

/// The source of dumps.
pub(crate) struct Authority {
    selector: Selector,
    only: Option<u32>,
    filter: Filter,
}

/// Failure of a dump, in one sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AuthorityError {
    /// The namespace does not exist, or may not be entered.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// ctnetlink refused or failed.
    #[error("in network namespace {netns}: {error}")]
    Netlink {
        /// The namespace.
        netns: String,
        /// The error.
        error: Error,
    },
}

impl Authority {
    /// Opens the namespaces once, to check the selector.
    pub(crate) fn open(selector: Selector, filter: Filter) -> Result<Self, NetnsError> {
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

    /// The only namespace in scope; none if all are.
    pub(crate) fn only_netns(&self) -> Option<u32> {
        self.only
    }

    /// Dumps every namespace in scope. A failure does not stop the dumps of the others.
    pub(crate) async fn dump(&self, mut take: impl FnMut(&DumpedEntry)) -> (Covered, Vec<AuthorityError>) {
        let (mut covered, mut errors) = (Covered::default(), Vec::new());
        let found = match self.look_up().await {
            Ok(found) => found,
            Err(error) => return (covered, vec![error.into()]),
        };
        covered.is_all = self.selector == Selector::All;
        for netns in found.namespaces {
            covered.opened.insert(netns.inode as u32);
            match self.dump_one(&netns, &mut take).await {
                Ok(()) => {
                    covered.whole.insert(netns.inode as u32);
                }
                Err(error) => {
                    // Missing rights apply to every namespace.
                    let is_last = error.is_not_permitted();
                    let netns = netns.name.to_string();
                    errors.push(AuthorityError::Netlink { netns, error });
                    if is_last {
                        break;
                    }
                }
            }
        }
        (covered, errors)
    }

    /// The namespaces in scope.
    pub(crate) fn selector(&self) -> &Selector {
        &self.selector
    }

    /// Returns whether all entries of the namespaces are in scope.
    pub(crate) fn is_unfiltered(&self) -> bool {
        self.filter.is_empty()
    }

    /// The number of entries, for one namespace without a filter.
    pub(crate) async fn count(&self) -> Option<u32> {
        if self.only.is_none() || !self.is_unfiltered() {
            return None;
        }
        let netns = netns::open(&self.selector).ok()?.namespaces.into_iter().next()?;
        let mut socket = self.socket(&netns).ok()?;
        Some(stats::table(&mut socket).await.ok()?.entries)
    }

    /// Looks up one entry; none if the table does not have it, or it cannot be read.
    pub(crate) async fn entry(&self, key: &TupleKey) -> Option<DumpedEntry> {
        let mut namespaces = self.look_up().await.ok()?.namespaces.into_iter();
        let netns = namespaces.find(|netns| netns.inode as u32 == key.netns)?;
        let mut socket = self.socket(&netns).ok()?;
        let mut found = None;
        let take = |entry: &Entry<'_>| found = Some(dumped(key.netns, entry));
        lookup::entry(&mut socket, &Tuple::from_words(key.orig), key.zone, take)
            .await
            .ok()?;
        found.filter(|entry| entry.key == *key)
    }

    fn socket(&self, netns: &Netns) -> Result<Socket, Error> {
        match self.selector {
            // Entering the current namespace needs no rights.
            Selector::Current => Socket::open(),
            _ => Socket::open_in(netns.as_fd()),
        }
    }

    /// Runs on another thread if it may take long, so that records are still read.
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

    async fn dump_one(&self, netns: &Netns, take: &mut impl FnMut(&DumpedEntry)) -> Result<(), Error> {
        let mut socket = self.socket(netns)?;
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

fn dumped(netns: u32, entry: &Entry<'_>) -> DumpedEntry {
    DumpedEntry {
        key: TupleKey {
            netns,
            zone: entry.zone_number(),
            orig: entry.orig.to_words(),
        },
        reply: entry.reply.to_words(),
        status: entry.status.unwrap_or(0),
        state: entry
            .protoinfo
            .as_ref()
            .and_then(|info| info.state())
            .unwrap_or(0),
        mark: entry.mark.unwrap_or(0),
        timeout_seconds: entry.timeout,
    }
}

struct Sink<'a, F> {
    netns: u32,
    filter: &'a Filter,
    take: &'a mut F,
}

impl<F: FnMut(&DumpedEntry)> dump::Sink for Sink<'_, F> {
    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        let zone = entry.zone_number();
        let mark = entry.mark.unwrap_or(0);
        if self.filter.matches(&entry.orig, &entry.reply, zone, mark) {
            (self.take)(&dumped(self.netns, entry));
        }
        ControlFlow::Continue(())
    }

    /// An entry may arrive twice: the table identifies it by its tuple.
    fn restart(&mut self) -> bool {
        true
    }
}
