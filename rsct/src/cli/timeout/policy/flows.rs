//! Number of entries of each policy. Netlink does not send an entry's policy: an eBPF program reads it when the kernel writes
//! the entry into the dump.

use std::{collections::HashMap, ops::ControlFlow};

use crate::{
    cli::{sentence, shared_args::AttachArg, watching::listing_error},
    netlink::{
        Error, Socket,
        conntrack::Entry,
        dump::{self, Query},
        timeout::Policy,
    },
    plural,
    provenance::Listing,
};

/// The program, if it could be attached.
pub(super) struct Flows(Option<Listing>);

impl Flows {
    /// Attaches the program. If that fails, reports why, and flows are not counted.
    pub(super) fn start(attach: AttachArg) -> Self {
        let listing = Listing::start(attach.form()).map_err(listing_error);
        Self(
            listing
                .inspect_err(|error| message!("flows are not counted: {}", sentence(error)))
                .ok(),
        )
    }

    /// Counts a namespace's entries by the names of their policies. Policies with equal values share their flows, because
    /// the program cannot distinguish them.
    pub(super) async fn count(&mut self, netns: u32, socket: &mut Socket) -> Result<Option<Counted>, Error> {
        let Some(listing) = &mut self.0 else {
            return Ok(None);
        };
        let mut counting = Counting {
            listing,
            netns,
            by_name: HashMap::new(),
        };
        dump::entries(socket, &Query::default(), &mut counting).await?;
        let by_name = counting.by_name;
        let lost = listing.lost();
        if lost != 0 {
            message!(
                "{} lost: up to {} may be missing from the counts",
                plural::count(lost, "record was", "records were"),
                plural::count(lost, "flow", "flows")
            );
        }
        Ok(Some(Counted(by_name)))
    }
}

/// Entries by the names of their policies.
pub(super) struct Counted(HashMap<String, u64>);

impl Counted {
    /// The number of entries of a policy.
    pub(super) fn of(&self, policy: &Policy) -> u64 {
        let name = policy.name.as_deref().map(String::from_utf8_lossy);
        name.and_then(|name| self.0.get(&*name)).copied().unwrap_or(0)
    }
}

struct Counting<'a> {
    listing: &'a mut Listing,
    netns: u32,
    by_name: HashMap<String, u64>,
}

impl dump::Sink for Counting<'_> {
    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        for name in self.listing.policy_names(self.netns, entry).unwrap_or_default() {
            *self.by_name.entry(name.clone()).or_default() += 1;
        }
        ControlFlow::Continue(())
    }

    fn restart(&mut self) -> bool {
        self.by_name.clear();
        true
    }
}
