//! `conntrack -D` deletes an entry: the trace names the task.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};

use crate::lab::{Lab, Line, Trace, traffic};

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let (client, server) = traffic::udp(&lab, 9999)?;
    let port = client.local_addr()?.port().to_string();
    let trace = Trace::start(&lab.server.name, &[])?;
    let asked = Instant::now();
    traffic::request(&client, &server)?;

    let mut command = lab
        .server
        .command("conntrack", &["-D", "-p", "udp", "--sport", &port]);
    let child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .context("start conntrack")?;
    // `ip netns exec` executes the command in its own process.
    let pid = i64::from(child.id());
    let said = child.wait_with_output()?;
    ensure!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));

    let ours = |line: &Line| line.number("/orig/sport").map(|sport| sport.to_string()) == Some(port.clone());
    let deleted = trace.wait_for("the entry is deleted", |line| {
        ours(line) && line.is_event("delete")
    })?;
    ensure!(deleted.text("/kind") == "netlink", "{deleted}");
    ensure!(deleted.text("/comm") == "conntrack", "{deleted}");
    ensure!(deleted.number("/pid") == Some(pid), "not {pid}: {deleted}");
    ensure!(
        deleted.number("/requester/portid").is_some_and(|id| id > 0),
        "{deleted}"
    );
    let left_ms = deleted.number("/before/timeout_ms").unwrap_or_default();
    let least_ms = 29_000 - i64::try_from(asked.elapsed().as_millis())?;
    ensure!((least_ms..=30_000).contains(&left_ms), "{deleted}");
    trace.wait_for("the entry is destroyed", |line| {
        ours(line) && line.is_event("destroy")
    })?;
    Ok(())
}
