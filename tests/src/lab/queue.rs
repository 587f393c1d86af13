//! Packets that a rule queues to user space, held until a scenario releases them one by one: a deterministic form of
//! races on a busy machine.

use std::collections::VecDeque;

use anyhow::{Context as _, Result};

use super::{
    nfnetlink::{self, Socket, attribute},
    undisturbed::undisturbed,
    wait,
};
use crate::native::namespace::Namespace;

/// include/uapi/linux/netfilter/nfnetlink.h
const NFNL_SUBSYS_QUEUE: u8 = 3;

// include/uapi/linux/netfilter/nfnetlink_queue.h
const MSG_VERDICT: u8 = 1;
const MSG_CONFIG: u8 = 2;
const PACKET_HDR: u16 = 1;
const VERDICT_HDR: u16 = 2;
const CFG_CMD: u16 = 1;
const CFG_PARAMS: u16 = 2;
const CMD_BIND: u8 = 1;
const COPY_META: u8 = 1;
const NF_ACCEPT: u32 = 1;

/// A queue, and the packets in it. The kernel drops the packets that are still held when it is closed.
pub struct Queue {
    socket: Socket,
    number: u16,
    held: VecDeque<[u8; 4]>,
}

impl Queue {
    /// Binds to the queue of this number, to which rules of the namespace send packets.
    pub fn open(namespace: &Namespace, number: u16) -> Result<Self> {
        // Its own module, which binding to a queue does not load.
        namespace.sh("modprobe -q nfnetlink_queue || true")?;
        let socket = Socket::open(namespace)?;
        let bind = attribute(CFG_CMD, &[CMD_BIND, 0, 0, 0]);
        let params = attribute(CFG_PARAMS, &[0, 0, 0, 0, COPY_META]);
        for attributes in [bind, params] {
            socket
                .request(NFNL_SUBSYS_QUEUE, MSG_CONFIG, number, &attributes)
                .with_context(|| format!("take packets from queue {number}"))?;
        }
        Ok(Self {
            socket,
            number,
            held: VecDeque::new(),
        })
    }

    /// Waits until this number of packets is held.
    pub fn wait_for(&mut self, packets: usize) -> Result<()> {
        while self.held.len() < packets {
            let datagram = self.socket.receive(wait::DEADLINE)?.with_context(|| {
                format!("{} packets came to the queue, {packets} should", self.held.len())
            })?;
            let id = nfnetlink::find(&datagram, PACKET_HDR)
                .and_then(|header| nfnetlink::number(header, 0))
                .context("a packet in the queue has no number")?;
            self.held.push_back(id);
        }
        Ok(())
    }

    /// Releases the oldest held packet. When this returns, the packet has been processed as far as it can be at once.
    pub fn accept(&mut self) -> Result<()> {
        let id = self.held.pop_front().context("no packet is held")?;
        let verdict = [NF_ACCEPT.to_be_bytes(), id].concat();
        undisturbed(|| {
            self.socket.request(
                NFNL_SUBSYS_QUEUE,
                MSG_VERDICT,
                self.number,
                &attribute(VERDICT_HDR, &verdict),
            )
        })
    }

    /// Releases them all, the oldest first.
    pub fn accept_all(&mut self) -> Result<()> {
        while !self.held.is_empty() {
            self.accept()?;
        }
        Ok(())
    }
}
