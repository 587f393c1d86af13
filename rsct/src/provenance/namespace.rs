//! A namespace's default timeouts, and the timeout objects that its rules can assign. Read on demand, on a thread that
//! enters the namespace.

use std::{collections::HashMap, io, os::fd::AsFd as _, path::Path};

use crate::{
    kernel::{
        netns::{self, Netns, Selector},
        sysctl::Where,
    },
    netlink::{Socket, nft_timeout, timeout},
    observe::{Fact, TimeoutObject, Want},
    timeouts::{Defaults, PROTOCOLS, Protocol, Spans, State},
    waiting::block_on,
};

/// Opens a namespace. The one that `likely` selects is found without a search through all processes.
fn open(netns: u32, likely: &Selector) -> io::Result<Netns> {
    if *likely != Selector::All
        && let Ok(found) = netns::open(likely)
        && let Some(found) = found
            .namespaces
            .into_iter()
            .find(|found| found.inode == u64::from(netns))
    {
        return Ok(found);
    }
    netns::open_inode(netns.into()).map_err(io::Error::other)
}

/// A namespace's defaults by protocol number. Through sysctl, as a ctnetlink request would load a module.
fn defaults(netns: u32, likely: &Selector) -> io::Result<Defaults> {
    let netns = open(netns, likely)?;
    let at = Where::Inside(netns.as_fd());
    let states = || {
        let of = |protocol: &'static Protocol| protocol.states.iter().map(move |state| (protocol, state));
        PROTOCOLS.iter().flat_map(of)
    };
    let names: Vec<String> = states()
        .filter_map(|(_, state)| State::sysctl_name(state))
        .collect();
    let settings = at.read(&names)?;
    let mut found: HashMap<u8, Vec<(u16, u64)>> = HashMap::new();
    for ((protocol, state), setting) in states().filter(|(_, state)| state.sysctl.is_some()).zip(settings) {
        if let Some(seconds) = setting
            .and_then(|setting| setting.value.ok())
            .and_then(|value| value.parse::<u64>().ok())
        {
            let of = found.entry(protocol.number).or_default();
            of.push((state.attribute, seconds * 1000));
        }
    }
    Ok(found
        .into_iter()
        .map(|(number, spans)| (number, Spans::new(spans)))
        .collect())
}

/// All timeout objects of a namespace.
fn timeout_objects(netns: u32, likely: &Selector) -> io::Result<Vec<TimeoutObject>> {
    let netns = open(netns, likely)?;
    // On a thread of its own: the caller's may have an event loop.
    netns::in_thread(|| block_on(objects_in(&netns)))?
}

async fn objects_in(netns: &Netns) -> io::Result<Vec<TimeoutObject>> {
    let mut socket = Socket::open_in(netns.as_fd()).map_err(io::Error::other)?;
    let name = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    // This kernel may lack one of the two.
    let policies = timeout::list(&mut socket).await.unwrap_or_default();
    let mut objects: Vec<TimeoutObject> = policies
        .into_iter()
        .filter_map(|policy| Some(object(name(&policy.name?), policy.timeouts, false)))
        .collect();
    // A request would load the module.
    if Path::new(NF_TABLES).exists() {
        let of_nftables = nft_timeout::list(&mut socket).await.unwrap_or_default();
        let of_nftables = of_nftables
            .into_iter()
            .map(|found| object(name(&found.name), found.timeouts, true));
        objects.extend(of_nftables);
    }
    Ok(objects)
}

fn object(name: String, timeouts: timeout::Timeouts, of_nftables: bool) -> TimeoutObject {
    TimeoutObject {
        name,
        l3proto: timeouts.l3proto,
        l4proto: timeouts.l4proto,
        seconds: timeouts.values,
        of_nftables,
    }
}

/// Reads a fact, likely about the namespace that `likely` selects. It takes some time: the caller has a thread for it.
pub(crate) fn find_out(want: Want, likely: &Selector) -> Fact {
    match want {
        Want::Defaults(netns) => Fact::Defaults {
            netns,
            defaults: defaults(netns, likely).ok(),
        },
        Want::Objects(netns) => Fact::Objects {
            netns,
            objects: timeout_objects(netns, likely).ok(),
        },
    }
}

/// Exists while nftables is loaded.
const NF_TABLES: &str = "/sys/module/nf_tables";
