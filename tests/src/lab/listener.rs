//! A program that subscribes to conntrack's events and does not read them.

use anyhow::{Context as _, Result};

use super::nfnetlink::Socket;
use crate::native::namespace::Namespace;

/// include/uapi/linux/netfilter/nfnetlink_compat.h
pub const NEW: u32 = 1;
/// The last group.
pub const DESTROY: u32 = 3;

/// Its socket.
pub struct Listener {
    socket: Socket,
    port: u32,
}

impl Listener {
    /// Listens to `groups` of the namespace with the smallest buffer that the kernel allows. If `reliable`, the kernel
    /// keeps events that it could not deliver, as with conntrackd's `NetlinkEventsReliable`.
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

    /// The port id by which the kernel identifies the socket.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// Number of messages that the kernel could not deliver to it.
    pub fn drops(&self, namespace: &Namespace) -> Result<u64> {
        let table = namespace.read("/proc/thread-self/net/netlink")?;
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

    /// Reads all pending messages; returns their number, and whether the kernel reported a loss.
    pub fn read(&self) -> Result<(u64, bool)> {
        let (datagrams, lost) = self.socket.drain()?;
        Ok((datagrams as u64, lost))
    }
}
