//! The netfilter netlink sockets in /proc/net/netlink: the listeners for conntrack's events, and the number
//! of messages that each lost.

use std::{fs, io, os::fd::BorrowedFd};

use serde::{Deserialize, Serialize};

use super::{helper, netns};

/// `NETLINK_NETFILTER`.
const NETLINK_NETFILTER: u32 = 12;
/// The groups of conntrack's events as bits in /proc/net/netlink: NFNLGRP_CONNTRACK_NEW, _UPDATE and
/// _DESTROY.
const CONNTRACK_GROUPS: u32 = 0b111;

/// A socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NetlinkSocket {
    /// Its port.
    pub portid: u32,
    /// Its multicast groups.
    pub groups: u32,
    /// Number of messages dropped because its receive buffer was full.
    pub drops: u64,
    /// Its inode number.
    pub inode: u64,
}

/// Listeners for conntrack events in a network namespace, or in the calling thread's.
pub(crate) fn listeners(netns: Option<BorrowedFd<'_>>) -> io::Result<Vec<NetlinkSocket>> {
    if let Some(listeners) = netns.and_then(helper::listeners) {
        return listeners;
    }
    // The thread's file, not the process's: the thread may have entered another namespace.
    let read = || fs::read_to_string("/proc/thread-self/net/netlink");
    let table = match netns {
        Some(netns) => netns::inside(netns, read)??,
        None => read()?,
    };
    Ok(all(&table).filter(NetlinkSocket::listens).collect())
}

/// Parses the text of /proc/net/netlink.
pub(super) fn all(table: &str) -> impl Iterator<Item = NetlinkSocket> + '_ {
    table.lines().filter_map(NetlinkSocket::of)
}

impl NetlinkSocket {
    /// Parses one line: sk, protocol, port, groups, receive and send memory, dump, locks, drops, inode.
    fn of(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        if fields.get(1)?.parse() != Ok(NETLINK_NETFILTER) {
            return None;
        }
        Some(Self {
            portid: fields.get(2)?.parse().ok()?,
            groups: u32::from_str_radix(fields.get(3)?, 16).ok()?,
            drops: fields.get(8)?.parse().ok()?,
            inode: fields.get(9)?.parse().ok()?,
        })
    }

    fn listens(&self) -> bool {
        self.groups & CONNTRACK_GROUPS != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conntrack_listeners_are_selected() {
        let line = "0000000000000000 12  4242       00000005 512      0        0     2        7        22";
        let found = NetlinkSocket {
            portid: 4242,
            groups: 5,
            drops: 7,
            inode: 22,
        };
        let listener = |line| all(line).find(NetlinkSocket::listens);
        assert_eq!(listener(line), Some(found));
        for other in [
            "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode",
            "0000000000000000 0   4242       00000005 512      0        0     2        7        22",
            "0000000000000000 12  4242       00000000 512      0        0     2        7        22",
            "0000000000000000 12  4242       00000008 512      0        0     2        7        22",
            "0000000000000000 12  4242       00000005",
        ] {
            assert_eq!(listener(other), None, "{other}");
        }
    }
}
