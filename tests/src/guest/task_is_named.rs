//! A packet that leaves a process is reported with the process; a received one belongs to no task.

use std::net::UdpSocket;

use anyhow::{Result, ensure};

use crate::lab::{CLIENT, Lab, SERVER, Trace, traffic, wait};

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let (_, server) = traffic::udp(&lab, 8888)?;
    let trace = Trace::start("all", &["--proto", "udp", "--dport", "8888"])?;
    let client = lab.on_client(|| {
        let client = UdpSocket::bind((CLIENT, 0))?;
        client.set_read_timeout(Some(wait::DEADLINE))?;
        traffic::send(&client, b"who is there?", (SERVER, 8888))?;
        Ok(client)
    })?;
    let port = i64::from(client.local_addr()?.port());
    let at = |hook: &'static str| {
        trace.wait_for(&format!("the packet is at {hook}"), |line| {
            line.text("/hook") == hook && line.number("/orig/sport") == Some(port)
        })
    };
    let leaving = at("LOCAL_OUT")?;
    ensure!(
        leaving.number("/pid") == Some(std::process::id().into()),
        "{leaving}"
    );
    // Name of the sending thread.
    ensure!(leaving.text("/comm") == "client", "{leaving}");
    let entering = at("PRE_ROUTING")?;
    ensure!(
        !entering.has("/pid") && !entering.has("/comm"),
        "the received packet has a task: {entering}"
    );
    server.recv_from(&mut [0; 64])?;
    Ok(())
}
