//! Who listens to conntrack's events, and how many messages the kernel says did not reach him.

use std::{fs, io, os::fd::BorrowedFd};

use super::netns;

/// `NETLINK_NETFILTER`.
const NETLINK_NETFILTER: u32 = 12;
/// The groups of conntrack's events, as /proc/net/netlink shows them: NFNLGRP_CONNTRACK_NEW, _UPDATE and _DESTROY.
const CONNTRACK_GROUPS: u32 = 0b111;

/// A socket that listens to events of conntrack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its port.
    pub portid: u32,
    /// Its inode number.
    pub inode: u64,
    /// How many messages found no room with it.
    pub drops: u64,
}

/// Those of a network namespace, or of the calling thread's.
pub fn listeners(netns: Option<BorrowedFd<'_>>) -> io::Result<Vec<Listener>> {
    // The thread's own, not the process's: it may have stepped into a namespace.
    let read = || fs::read_to_string("/proc/thread-self/net/netlink");
    let table = match netns {
        Some(netns) => netns::inside(netns, read)??,
        None => read()?,
    };
    Ok(table.lines().filter_map(listener).collect())
}

/// A line of /proc/net/netlink: sk, protocol, port, groups, receive and send memory, dump, locks, drops, inode.
fn listener(line: &str) -> Option<Listener> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let groups = u32::from_str_radix(fields.get(3)?, 16).ok()?;
    if fields.get(1)?.parse() != Ok(NETLINK_NETFILTER) || groups & CONNTRACK_GROUPS == 0 {
        return None;
    }
    Some(Listener {
        portid: fields.get(2)?.parse().ok()?,
        inode: fields.get(9)?.parse().ok()?,
        drops: fields.get(8)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_to_conntrack_is_told_from_others() {
        let line = "0000000000000000 12  4242       00000005 512      0        0     2        7        22";
        let found = Listener {
            portid: 4242,
            inode: 22,
            drops: 7,
        };
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
