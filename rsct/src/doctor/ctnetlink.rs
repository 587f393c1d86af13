//! Check of ctnetlink: a real dump, stopped at its first entry.

use std::ops::ControlFlow;

use super::Dump;
use crate::{
    netlink::{
        Socket,
        conntrack::Entry,
        dump::{self, Sink},
    },
    waiting::block_on,
};

/// Dumps the entries of the current namespace.
pub(super) fn dump() -> Dump {
    let error = first_entry().err();
    Dump {
        works: error.is_none(),
        error,
    }
}

fn first_entry() -> Result<(), String> {
    block_on(async {
        let mut socket = Socket::open().map_err(|error| error.to_string())?;
        let outcome = dump::entries(&mut socket, &dump::Query::default(), &mut FirstEntry).await;
        outcome.map(drop).map_err(|error| error.to_string())
    })
}

/// One entry is enough; there may be millions.
struct FirstEntry;

impl Sink for FirstEntry {
    fn entry(&mut self, _: &Entry<'_>) -> ControlFlow<()> {
        ControlFlow::Break(())
    }

    fn restart(&mut self) -> bool {
        true
    }
}
