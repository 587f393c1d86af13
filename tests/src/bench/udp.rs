//! The load: one UDP flow over `lo`, both ends in one thread, so that a packet's processing is one straight line.

use std::{
    net::{Ipv4Addr, UdpSocket},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};

/// Packets of a measured run.
pub const PACKETS: u32 = 20_000;
/// Packets sent while the tracer is stopped: the ring of a trace has room for all of their records.
pub const PACKETS_WHILE_STOPPED: u32 = 10_000;
/// Each has a reply.
const WARM_UP_ROUNDS: u32 = 200;
/// Packets of one run, warm-up included.
pub const PACKETS_IN_ALL: u64 = PACKETS as u64 + 2 * WARM_UP_ROUNDS as u64;
/// A packet over `lo` traverses `nf_conntrack_in` at output and again at input.
pub const PASSES: u64 = 2;

const CLIENT: u16 = 40_000;
const SERVER: u16 = 9_999;
const BYTES: usize = 32;

/// Both ends of the flow.
pub struct LoadFlow {
    client: UdpSocket,
    server: UdpSocket,
}

impl LoadFlow {
    /// Opens both sockets; the ports are always the same, so it is one entry for the whole bench.
    pub fn open() -> Result<Self> {
        let bind = |port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).context("open the bench's sockets");
        let (client, server) = (bind(CLIENT)?, bind(SERVER)?);
        client.connect((Ipv4Addr::LOCALHOST, SERVER))?;
        server.connect((Ipv4Addr::LOCALHOST, CLIENT))?;
        Ok(Self { client, server })
    }

    /// Sends one packet without a reply.
    pub fn send(&self) -> Result<()> {
        let mut buffer = [0; BYTES];
        self.client.send(&[1; BYTES])?;
        self.server.recv(&mut buffer)?;
        Ok(())
    }

    /// Exchanges packets with replies: afterwards the entry is ASSURED, and every path has been executed once.
    pub fn warm_up(&self) -> Result<()> {
        let mut buffer = [0; BYTES];
        for _ in 0..WARM_UP_ROUNDS {
            self.send()?;
            self.server.send(&[2; BYTES])?;
            self.client.recv(&mut buffer)?;
        }
        Ok(())
    }

    /// Sends the measured packets; returns the duration.
    pub fn run(&self) -> Result<Duration> {
        self.send_many(PACKETS)
    }

    /// The same for the packets sent while the tracer is stopped.
    pub fn run_while_stopped(&self) -> Result<Duration> {
        self.send_many(PACKETS_WHILE_STOPPED)
    }

    fn send_many(&self, packets: u32) -> Result<Duration> {
        let start = Instant::now();
        for _ in 0..packets {
            self.send()?;
        }
        Ok(start.elapsed())
    }
}
