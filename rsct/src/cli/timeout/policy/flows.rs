//! How many entries live under each policy. Netlink does not say which policy an entry has: a probe reads it, where the
//! kernel writes the entry into the dump.

use std::{collections::HashMap, ops::ControlFlow};

use crate::{
    cli::{
        probing::{AttachArg, why_not},
        sentence,
    },
    netlink::{
        Error, Socket,
        conntrack::Entry,
        dump::{self, Query},
        timeout::Policy,
    },
    plural,
    provenance::{Listing, ListingError},
};

/// The probe, where there can be one.
pub(super) struct Flows(Option<Listing>);

impl Flows {
    /// Attaches it. Where that can't be done it is said on stderr why, and flows are not counted.
    pub(super) fn start(attach: AttachArg) -> Self {
        let listing = Listing::start(attach.form()).map_err(|error| match error {
            ListingError::Session(error) => why_not(error),
            error => error.into(),
        });
        Self(
            listing
                .inspect_err(|error| message!("live flows are not counted: {}", sentence(error)))
                .ok(),
        )
    }

    /// Counts a namespace's entries by their policies' names. Policies that say the same share their flows: the kernel
    /// does not tell which it is.
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
                "{} LOST: as many flows may be missing from the counts",
                plural::count(lost, "record was", "records were")
            );
        }
        Ok(Some(Counted(by_name)))
    }
}

/// Entries by the names of their policies.
pub(super) struct Counted(HashMap<String, u64>);

impl Counted {
    /// How many live under a policy.
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
