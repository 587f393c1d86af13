//! Entries from before the trace are known from its first dump, and from both sources after a packet; new ones from the
//! probes, and from both after the last dump. The sources do not differ.

use anyhow::{Context as _, Result, ensure};

use crate::lab::{Lab, Line, Trace, trace::Ended, traffic};

pub fn run() -> Result<()> {
    let lab = Lab::new()?.with_lasting_udp()?;
    let (old, old_server) = traffic::udp(&lab, 8001)?;
    let (woken, woken_server) = traffic::udp(&lab, 8002)?;
    let (new, new_server) = traffic::udp(&lab, 8003)?;
    traffic::request(&old, &old_server)?;
    traffic::request(&woken, &woken_server)?;

    let trace = Trace::start(&lab.server.name, &["--table", "--differences"])?;
    let started = trace.wait_for("it is attached", |line| line.text("/type") == "started")?;
    ensure!(started.number("/flows_from_dump") == Some(2), "{started}");
    traffic::reply(&woken, &woken_server)?;
    traffic::request(&new, &new_server)?;
    let confirmed = trace.wait_for("the new entry is confirmed", |line| {
        line.is_event("confirm") && line.number("/orig/dport") == Some(8003)
    })?;
    ensure!(confirmed.text("/known_from") == "probe", "{confirmed}");

    let ended = trace.stop()?;
    ensure!(known_from(&ended, 8001)? == "dump", "{}", ended.told());
    ensure!(known_from(&ended, 8002)? == "both", "{}", ended.told());
    ensure!(known_from(&ended, 8003)? == "both", "{}", ended.told());
    let summary = ended.summary()?;
    ensure!(summary.number("/dumps") == Some(2), "{summary}");
    ensure!(
        summary
            .0
            .pointer("/differences")
            .and_then(|differences| differences.as_object())
            .is_some_and(|differences| differences.is_empty()),
        "{}",
        ended.told()
    );
    ensure!(
        !ended.lines.iter().any(|line| line.text("/type") == "difference"),
        "{}",
        ended.told()
    );
    Ok(())
}

/// Source of the flow to this port, according to the closing table.
fn known_from(ended: &Ended, port: i64) -> Result<&str> {
    let is_it = |line: &&Line| line.text("/type") == "flow" && line.number("/orig/dport") == Some(port);
    let flow = ended
        .lines
        .iter()
        .find(is_it)
        .with_context(|| format!("the table has no flow to port {port}\n{}", ended.told()))?;
    Ok(flow.text("/known_from"))
}
