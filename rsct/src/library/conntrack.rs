//! The kernel's table.

use std::{ops::ControlFlow, os::fd::AsFd as _};

use crate::{
    filter,
    kernel::netns::{self, NetnsError, Selector},
    netlink::{self, Socket, conntrack, dump},
    table, waiting,
};

use super::{Entry, Filter};

/// The conntrack table of a network namespace, read over ctnetlink. Needs root, or the capability CAP_NET_ADMIN.
///
/// ```no_run
/// use rsct::{Conntrack, Filter};
///
/// let filter = Filter::builder().proto("tcp").status("ASSURED").build()?;
/// for entry in Conntrack::here()?.entries(&filter)? {
///     println!("{} {}", entry.tuple(), entry.state().unwrap_or("-"));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Conntrack {
    socket: Socket,
}

/// The table cannot be read.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ConntrackError(#[from] Failure);

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Netns(#[from] NetnsError),
    #[error(transparent)]
    Netlink(#[from] netlink::Error),
    #[error("cannot open the table of network namespace \"all\": name one namespace")]
    All,
}

impl Conntrack {
    /// The table of the current network namespace.
    pub fn here() -> Result<Self, ConntrackError> {
        let socket = Socket::open().map_err(Failure::from)?;
        Ok(Self { socket })
    }

    /// The table of another network namespace: a path, a name under /run/netns, a process id or an inode number.
    pub fn in_netns(netns: &str) -> Result<Self, ConntrackError> {
        let selector = Selector::from_option(Some(netns));
        if selector == Selector::All {
            return Err(Failure::All.into());
        }
        let found = netns::open(&selector).map_err(Failure::from)?;
        let netns = found.namespaces.first().ok_or(Failure::All)?;
        let socket = Socket::open_in(netns.as_fd()).map_err(Failure::from)?;
        Ok(Self { socket })
    }

    /// Reads the entries that match. The kernel applies as much of the filter as it can. Blocks until the dump is complete;
    /// a dump that the kernel reports as incomplete is repeated.
    pub fn entries(&mut self, filter: &Filter) -> Result<Vec<Entry>, ConntrackError> {
        let filter = filter.as_inner();
        let plan = filter.plan();
        let mut found = Found {
            filter,
            entries: Vec::new(),
            begun_at: 0,
        };
        let read = table::entries(&mut self.socket, dump::Table::Conntrack, &plan, &mut found);
        waiting::block_on(read).map_err(Failure::from)?;
        Ok(found.entries)
    }
}

struct Found<'a> {
    filter: &'a filter::Filter,
    entries: Vec<Entry>,
    /// Their number when the last dump began.
    begun_at: usize,
}

impl dump::Sink for Found<'_> {
    fn begin(&mut self) {
        self.begun_at = self.entries.len();
    }

    fn entry(&mut self, entry: &conntrack::Entry<'_>) -> ControlFlow<()> {
        if self.filter.meets(entry) {
            self.entries.push(Entry::of(entry));
        }
        ControlFlow::Continue(())
    }

    fn restart(&mut self) -> bool {
        self.entries.truncate(self.begun_at);
        true
    }
}
