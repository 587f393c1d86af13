//! A program that asks for conntrack's events and then doesn't read them.

use anyhow::{Context as _, Result};

use super::nfnetlink::Socket;
use crate::native::namespace::Namespace;

/// include/uapi/linux/netfilter/nfnetlink_compat.h
pub const NEW: u32 = 1;
/// The last.
pub const DESTROY: u32 = 3;

/// Its socket.
pub struct Listener {
    socket: Socket,
    port: u32,
}

impl Listener {
    /// Listens to `groups` of the namespace with the smallest buffer that the kernel gives. Where it is `reliable`, the
    /// kernel is to keep what it couldn't deliver, as conntrackd's `NetlinkEventsReliable` has it.
    pub fn open(namespace: &Namespace, groups: &[u32], reliable: bool) -> Result<Self> {
        let socket = Socket::open(namespace)?;
        socket.set(libc::SOL_SOCKET, libc::SO_RCVBUF, 1)?;
        if reliable {
            for option in [libc::NETLINK_BROADCAST_ERROR, libc::NETLINK_NO_ENOBUFS] {
                socket.set(libc::SOL_NETLINK, option, 1)?;
            }
        }
        for &group in groups {
            let group = i32::try_from(group).context("a group of events")?;
            socket.set(libc::SOL_NETLINK, libc::NETLINK_ADD_MEMBERSHIP, group)?;
        }
        let port = socket.port()?;
        Ok(Self { socket, port })
    }

    /// By this the kernel knows it.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// How many messages the kernel says it could not deliver to it.
    pub fn drops(&self, namespace: &Namespace) -> Result<u64> {
        let table = namespace.sh("cat /proc/net/netlink")?;
        table
            .lines()
            .find_map(|line| {
                // sk, protocol, port, groups, receive and send memory, dump, locks, drops, inode.
                let fields: Vec<&str> = line.split_whitespace().collect();
                let port = fields.get(2)?.parse();
                (fields.get(1) == Some(&"12") && port == Ok(self.port))
                    .then(|| fields.get(8)?.parse().ok())
                    .flatten()
            })
            .with_context(|| format!("no socket has port {}:\n{table}", self.port))
    }

    /// Reads all that is there: how many messages, and whether the kernel said that there would have been more.
    pub fn read(&self) -> Result<(u64, bool)> {
        let (datagrams, lost) = self.socket.drain()?;
        Ok((datagrams as u64, lost))
    }
}
