//! Netfilter's netlink sockets, as the kernel lists them: who listens to conntrack's events, and how many messages it says
//! did not reach him.

use std::{fs, io, os::fd::BorrowedFd};

use super::netns;

/// `NETLINK_NETFILTER`.
const NETLINK_NETFILTER: u32 = 12;
/// The groups of conntrack's events, as /proc/net/netlink shows them: NFNLGRP_CONNTRACK_NEW, _UPDATE and _DESTROY.
const CONNTRACK_GROUPS: u32 = 0b111;

/// A socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetlinkSocket {
    /// Its port.
    pub portid: u32,
    /// The groups that it is a member of.
    pub groups: u32,
    /// How many messages found no room with it.
    pub drops: u64,
    /// Its inode number.
    pub inode: u64,
}

/// Those that listen to events of conntrack in a network namespace, or in the calling thread's.
pub fn listeners(netns: Option<BorrowedFd<'_>>) -> io::Result<Vec<NetlinkSocket>> {
    // The thread's own, not the process's: it may have stepped into a namespace.
    let read = || fs::read_to_string("/proc/thread-self/net/netlink");
    let table = match netns {
        Some(netns) => netns::inside(netns, read)??,
        None => read()?,
    };
    Ok(all(&table).filter(NetlinkSocket::listens).collect())
}

/// Those in the text of /proc/net/netlink.
pub(super) fn all(table: &str) -> impl Iterator<Item = NetlinkSocket> + '_ {
    table.lines().filter_map(NetlinkSocket::of)
}

impl NetlinkSocket {
    /// A line of it: sk, protocol, port, groups, receive and send memory, dump, locks, drops, inode.
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
    fn who_listens_to_conntrack_is_told_from_others() {
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
