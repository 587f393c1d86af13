//! The zone of an expectation, which the kernel wants to know and doesn't say.

use std::{collections::BTreeSet, ops::ControlFlow};

use rsct_common::Tuple;

use crate::{
    family::Family,
    netlink::{
        Error, Socket,
        conntrack::Entry,
        dump::{self, Query},
        expect::{self, Expectation, Key},
    },
};

/// The key of an expectation, found by asking for it in the zone that is wanted. Where none is, the default zone comes
/// first, and then those in which the table has a master for it. None where the expectation is gone, or in another
/// zone.
pub(super) async fn key_of(
    socket: &mut Socket,
    expectation: &Expectation<'_>,
    wanted: Option<u16>,
) -> Result<Option<Key>, Error> {
    let key = |zone| Key {
        tuple: expectation.tuple,
        zone,
        id: expectation.id,
    };
    let first = key(wanted.unwrap_or(0));
    if expect::get(socket, &first, |_| {}).await? {
        return Ok(Some(first));
    }
    if wanted.is_some() {
        return Ok(None);
    }
    for zone in zones(socket, &expectation.master).await? {
        if expect::get(socket, &key(zone), |_| {}).await? {
            return Ok(Some(key(zone)));
        }
    }
    Ok(None)
}

/// The zones in which the table has an entry with this original tuple.
async fn zones(socket: &mut Socket, master: &Tuple) -> Result<BTreeSet<u16>, Error> {
    let mut zones = Zones {
        master,
        found: BTreeSet::new(),
    };
    let query = Query::of_family(Family::from_number(master.family()));
    dump::entries(socket, &query, &mut zones).await?;
    Ok(zones.found)
}

struct Zones<'a> {
    master: &'a Tuple,
    found: BTreeSet<u16>,
}

impl dump::Sink for Zones<'_> {
    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        if entry.orig == *self.master {
            // An expectation is looked for in the zone of both directions, and of the original one.
            self.found.extend(entry.zone.or(entry.zone_orig));
        }
        ControlFlow::Continue(())
    }

    fn restart(&mut self) -> bool {
        self.found.clear();
        true
    }
}
