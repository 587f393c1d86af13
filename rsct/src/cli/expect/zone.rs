//! The zone of an expectation: the kernel requires it in requests, but does not send it.

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

/// The key of an expectation, looked up in `wanted`, or else in zone 0 and then in the zones in which its master has an
/// entry. None if the expectation no longer exists, or is in another zone.
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
            // The kernel looks an expectation up in the zone of both directions, or of the original one.
            self.found.extend(entry.zone.or(entry.zone_orig));
        }
        ControlFlow::Continue(())
    }

    fn restart(&mut self) -> bool {
        self.found.clear();
        true
    }
}
