//! Reads the kernel's counters: nothing stays open, because a descriptor would keep a deleted namespace alive.

use std::os::fd::AsFd as _;

use crate::{
    causes::counters,
    kernel::netns::{Netns, NetnsError, Selector},
    metrics::NamespaceReading,
    netlink::{Error, Socket, stats},
};

/// A reading of all namespaces that could be read.
#[derive(Debug, Default)]
pub(super) struct Readings {
    /// Each namespace.
    pub namespaces: Vec<NamespaceReading>,
    /// Why the others could not be read.
    pub errors: Vec<String>,
}

/// Reads every selected namespace. A namespace that was deleted since it was found is no error.
pub(super) async fn read(selector: &Selector) -> Result<Readings, NetnsError> {
    let mut readings = Readings::default();
    for netns in counters::open(selector).await?.namespaces {
        match one(selector, &netns).await {
            Ok(reading) => readings.namespaces.push(reading),
            Err(error) => {
                // Missing privileges concern all namespaces.
                let is_last = error.is_everywhere();
                readings.errors.push(match selector {
                    Selector::All => format!("in network namespace {}: {error}", netns.name),
                    _ => error.to_string(),
                });
                if is_last {
                    break;
                }
            }
        }
    }
    Ok(readings)
}

async fn one(selector: &Selector, netns: &Netns) -> Result<NamespaceReading, Error> {
    let mut socket = match selector {
        // Entering the current namespace needs no privileges.
        Selector::Current => Socket::open(),
        _ => Socket::open_in(netns.as_fd()),
    }?;
    Ok(NamespaceReading {
        inode: netns.inode as u32,
        name: netns.name.as_str().to_owned(),
        cpus: stats::per_cpu(&mut socket).await?,
        table: stats::table(&mut socket).await?,
    })
}
