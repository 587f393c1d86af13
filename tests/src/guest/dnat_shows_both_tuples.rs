//! A rule redirects a connection to another address and port: both tuples are shown, and the listings agree.

use anyhow::{Result, ensure};

use crate::{
    lab::{CLIENT, Lab, Line, SERVER, Trace, traffic},
    native::table::same_but_for_time,
};

const PUBLIC: &str = "203.0.113.80";

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    lab.client.sh(&format!("ip route add {PUBLIC}/32 via {SERVER}"))?;
    lab.server.sh(&format!(
        "nft add table ip story
        nft 'add chain ip story prerouting {{ type nat hook prerouting priority dstnat; }}'
        nft add rule ip story prerouting ip daddr {PUBLIC} tcp dport 80 dnat to {SERVER}:8080"
    ))?;
    let trace = Trace::start(&lab.server.name, &["--table"])?;
    let port = traffic::tcp(&lab, PUBLIC, 80, 8080)?;
    let ours = |line: &Line| line.number("/orig/sport") == Some(port);
    let confirmed = trace.wait_for("the entry is confirmed", |line| {
        ours(line) && line.is_event("confirm")
    })?;
    both_tuples(&confirmed, port)?;
    ensure!(confirmed.lists("/after/status", "DST_NAT"), "{confirmed}");
    trace.wait_for("the connection is in TIME_WAIT", |line| {
        ours(line) && line.text("/after/state") == "TIME_WAIT"
    })?;
    let listed = lab.server.list(&["-p", "tcp"])?;
    same_but_for_time(&listed, &lab.server.conntrack(&["-p", "tcp"])?)?;

    let ended = trace.stop()?;
    let flow = ended
        .lines
        .iter()
        .find(|line| line.text("/type") == "flow" && ours(line));
    ensure!(
        flow.is_some(),
        "the table has no such connection\n{}",
        ended.told()
    );
    flow.map_or(Ok(()), |flow| both_tuples(flow, port))
}

fn both_tuples(line: &Line, port: i64) -> Result<()> {
    ensure!(line.text("/orig/src") == CLIENT, "{line}");
    ensure!(line.text("/orig/dst") == PUBLIC, "{line}");
    ensure!(line.number("/orig/dport") == Some(80), "{line}");
    ensure!(line.text("/reply/src") == SERVER, "{line}");
    ensure!(line.number("/reply/sport") == Some(8080), "{line}");
    ensure!(line.text("/reply/dst") == CLIENT, "{line}");
    ensure!(line.number("/reply/dport") == Some(port), "{line}");
    Ok(())
}
