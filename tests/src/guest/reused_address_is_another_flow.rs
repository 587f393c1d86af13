//! The kernel reuses a freed entry's memory for the next entry at once: the same address, even the same tuple, and yet
//! another flow.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::UdpSocket,
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use super::cpu;
use crate::{
    lab::{CLIENT, Lab, Line, SERVER, Trace, traffic},
    native::namespace::succeeds,
};

const TIMES: usize = 50;

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let server = lab.on_server(|| Ok(UdpSocket::bind((SERVER, 4001))?))?;
    let trace = Trace::start(&lab.client.name, &["-p", "udp"])?;
    lab.on_client(|| {
        // Each CPU has free memory of its own.
        cpu::pin(0)?;
        let client = UdpSocket::bind((CLIENT, 4000))?;
        for _ in 0..TIMES {
            traffic::send(&client, b"born again", server.local_addr()?)?;
            let delete = ["-D", "-p", "udp", "-s", CLIENT, "--sport", "4000"];
            succeeds(Command::new("conntrack").args(delete))?;
        }
        Ok(())
    })?;
    let ended = trace.stop()?;
    flows_are_distinguished(&ended.lines).with_context(|| ended.told())
}

fn flows_are_distinguished(lines: &[Line]) -> Result<()> {
    let packets: Vec<&Line> = lines.iter().filter(|line| line.is_outcome("created")).collect();
    ensure!(packets.len() == TIMES, "{} packets began a flow", packets.len());
    let mut addresses = BTreeSet::new();
    let mut names = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    let mut destroyed_ns = BTreeMap::new();
    for packet in packets {
        let number = member(packet, "/flow")?;
        ensure!(numbers.insert(number), "flow {number} began twice");
        let events: Vec<&Line> = lines
            .iter()
            .filter(|line| line.text("/type") == "entry" && line.number("/flow") == Some(number))
            .collect();
        let [.., delete, destroy] = events[..] else {
            anyhow::bail!("flow {number} has no end");
        };
        ensure!(
            delete.is_event("delete") && destroy.is_event("destroy"),
            "{delete}\n{destroy}"
        );
        let (ct, birth_ns) = (destroy.text("/ct"), member(destroy, "/birth_ns")?);
        for event in &events {
            let same = event.text("/ct") == ct && event.number("/birth_ns") == Some(birth_ns);
            ensure!(same, "flow {number} joins two entries: {event}");
        }
        ensure!(
            names.insert((ct, birth_ns)),
            "two entries share a name: {destroy}"
        );
        addresses.insert(ct);

        // It was born at its allocation by its first packet, and after its predecessor's deletion.
        let entered_ns = member(packet, "/time_ns")?;
        let left_ns = entered_ns + member(packet, "/duration_ns")?;
        ensure!(
            entered_ns < birth_ns && birth_ns <= left_ns,
            "not born in its first packet's traversal: {packet}\n{destroy}"
        );
        let time_ns = member(destroy, "/time_ns")?;
        let lifetime_ns = member(destroy, "/lifetime_ns")?;
        ensure!(
            lifetime_ns == time_ns - birth_ns,
            "not its own lifetime: {destroy}"
        );
        let before = destroyed_ns.insert(ct, time_ns);
        ensure!(
            before.is_none_or(|gone| gone < birth_ns),
            "alive twice: {destroy}"
        );
    }
    ensure!(
        addresses.len() < TIMES,
        "no address was used twice, so the test shows nothing"
    );
    Ok(())
}

fn member(line: &Line, path: &str) -> Result<i64> {
    line.number(path).with_context(|| format!("no {path}: {line}"))
}
