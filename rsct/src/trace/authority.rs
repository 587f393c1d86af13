//! The authority on which entries exist: dumps of every namespace in scope.
//!
//! Nothing is held open between dumps: a socket or a descriptor would keep a namespace alive that
//! everybody else has left.

use std::{ops::ControlFlow, os::fd::AsFd as _};

use crate::{
    filter::Filter,
    flow::{reconcile::Dumped, table::TupleKey},
    kernel::netns::{self, NetnsError, Selector},
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

    /// Whether a namespace is dumped.
    pub fn covers(&self, netns: u32) -> bool {
        self.only.is_none_or(|only| only == netns)
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

    /// Dumps every namespace in scope.
    pub async fn dump(&self, mut take: impl FnMut(&Dumped)) -> Result<(), AuthorityError> {
        for netns in netns::open(&self.selector)?.namespaces {
            let failed = |error| AuthorityError::Netlink {
                netns: netns.name.clone(),
                error,
            };
            let mut socket = match self.selector {
                // The current namespace needs no rights to be entered.
                Selector::Current => Socket::open(),
                _ => Socket::open_in(netns.as_fd()),
            }
            .map_err(failed)?;
            let mut sink = Sink {
                netns: netns.inode as u32,
                filter: &self.filter,
                take: &mut take,
            };
            dump::entries(
                &mut socket,
                &dump::Query::of_family(self.filter.family),
                &mut sink,
            )
            .await
            .map_err(failed)?;
        }
        Ok(())
    }
}

struct Sink<'a, F> {
    netns: u32,
    filter: &'a Filter,
    take: &'a mut F,
}

impl<F: FnMut(&Dumped)> dump::Sink for Sink<'_, F> {
    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        // `ct->zone.id` is one number, whether it holds for both directions or for one.
        let zone = entry.zone.or(entry.zone_orig).or(entry.zone_reply).unwrap_or(0);
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
