//! `--count N`: the trace ends by itself after N lines.

use std::net::UdpSocket;

use anyhow::{Result, ensure};

use crate::lab::{Lab, SERVER, Trace, traffic};

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let mut trace = Trace::start(&lab.client.name, &["--count", "3", "-p", "udp"])?;
    lab.on_client(|| {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        for _ in 0..5 {
            traffic::send(&socket, b"count me", (SERVER, 4001))?;
        }
        Ok(())
    })?;
    let ended = trace.ended()?;
    ensure!(ended.status.code() == Some(0), "{}", ended.told());
    let told = |line: &&crate::lab::Line| ["packet", "entry"].contains(&line.text("/type"));
    ensure!(ended.lines.iter().filter(told).count() == 3, "{}", ended.told());
    ended.summary()?;
    Ok(())
}
