//! What a namespace has: its defaults, and what its rules can give to flows. Read when somebody asks, on a thread that has
//! stepped in.

use std::{collections::HashMap, io, os::fd::AsFd as _, path::Path};

use crate::{
    kernel::{
        netns::{self, Netns},
        sysctl::Where,
    },
    netlink::{Socket, nft_timeout, timeout},
    timeouts::{PROTOCOLS, Protocol, Spans, State},
    waiting::block_on,
};

fn open(netns: u32) -> io::Result<Netns> {
    netns::open_inode(netns.into()).map_err(io::Error::other)
}

/// A namespace's defaults, by the protocols' numbers. Through sysctl: asking ctnetlink would load a module.
pub fn defaults(netns: u32) -> io::Result<HashMap<u8, Spans>> {
    let netns = open(netns)?;
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

/// What a namespace has that its rules give to flows.
pub(super) struct Given {
    pub(super) name: String,
    timeouts: timeout::Timeouts,
    pub(super) of_nftables: bool,
}

impl Given {
    /// Whether it is for a protocol and a family.
    pub(super) fn is_for(&self, l3num: u16, l4proto: u8) -> bool {
        self.timeouts.l3proto == l3num && self.timeouts.l4proto == l4proto
    }

    /// Whether it says this.
    pub(super) fn says(&self, spans: &Spans) -> bool {
        self.timeouts.values.iter().all(|(attribute, seconds)| {
            spans
                .of(*attribute)
                .is_none_or(|ms| ms / 1000 == u64::from(*seconds))
        })
    }

    /// What it says.
    pub(super) fn spans(&self) -> Spans {
        let values = self.timeouts.values.iter();
        Spans::new(values.map(|(attribute, seconds)| (*attribute, u64::from(*seconds) * 1000)))
    }
}

/// All that a namespace's rules can give to flows: policies, and nftables' own.
pub(super) fn given(netns: u32) -> io::Result<Vec<Given>> {
    let netns = open(netns)?;
    // A thread of its own, so that the loop that reads the ring need not be left.
    netns::inside(netns.as_fd(), || {
        block_on(async {
            let mut socket = Socket::open().map_err(io::Error::other)?;
            let name = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
            // One of the two may be missing from this kernel, and the other not.
            let policies = timeout::list(&mut socket).await.unwrap_or_default();
            let mut given: Vec<Given> = policies
                .into_iter()
                .filter_map(|policy| {
                    Some(Given {
                        name: name(&policy.name?),
                        timeouts: policy.timeouts,
                        of_nftables: false,
                    })
                })
                .collect();
            // Asking would load it.
            if Path::new(NF_TABLES).exists() {
                let objects = nft_timeout::list(&mut socket).await.unwrap_or_default();
                given.extend(objects.into_iter().map(|object| Given {
                    name: name(&object.name),
                    timeouts: object.timeouts,
                    of_nftables: true,
                }));
            }
            Ok(given)
        })
    })?
}

/// What there is where nftables is at work.
const NF_TABLES: &str = "/sys/module/nf_tables";
