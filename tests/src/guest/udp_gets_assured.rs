//! Client and server exchange UDP: the entry is created UNREPLIED, confirmed, replied to and, two seconds
//! later, ASSURED. At each of the three moments the two listings agree.

use std::{thread, time::Duration};

use anyhow::{Context as _, Result, ensure};

use crate::{
    lab::{CLIENT, Lab, Line, SERVER, Trace, traffic},
    native::table::same_but_for_time,
};

/// A UDP entry becomes a stream when it is older than this (net/netfilter/nf_conntrack_proto_udp.c).
const STREAM_AFTER: Duration = Duration::from_millis(2000);

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let (client, server) = traffic::udp(&lab, 8888)?;
    let port = i64::from(client.local_addr()?.port());
    let trace = Trace::start(&lab.server.name, &[])?;
    let ours = |line: &Line| line.number("/orig/sport") == Some(port);

    traffic::request(&client, &server)?;
    let created = trace.wait_for("the entry is created", |line| {
        ours(line) && line.is_outcome("created")
    })?;
    ensure!(created.text("/hook") == "PRE_ROUTING", "{created}");
    ensure!(created.text("/orig/proto") == "udp", "{created}");
    ensure!(created.text("/orig/src") == CLIENT, "{created}");
    ensure!(created.text("/orig/dst") == SERVER, "{created}");
    ensure!(!created.lists("/after/status", "SEEN_REPLY"), "{created}");
    ensure!(created.is_about_seconds("/after/timeout_ms", 30), "{created}");
    has_its_cost(&created)?;
    let confirmed = trace.wait_for("the entry is confirmed", |line| {
        ours(line) && line.is_event("confirm")
    })?;
    ensure!(confirmed.lists("/after/status", "CONFIRMED"), "{confirmed}");
    has_its_cost(&confirmed)?;
    listings_agree(&lab, "UNREPLIED")?;

    traffic::reply(&client, &server)?;
    let replied = trace.wait_for("there was a reply", |line| ours(line) && line.sets("SEEN_REPLY"))?;
    ensure!(replied.text("/hook") == "LOCAL_OUT", "{replied}");
    ensure!(replied.text("/dir") == "reply", "{replied}");
    has_its_cost(&replied)?;
    listings_agree(&lab, "SEEN_REPLY")?;

    // The time itself is the subject: no event marks its end.
    thread::sleep(STREAM_AFTER + Duration::from_millis(100));
    traffic::request(&client, &server)?;
    let assured = trace.wait_for("the entry is assured", |line| ours(line) && line.sets("ASSURED"))?;
    ensure!(assured.text("/dir") == "orig", "{assured}");
    ensure!(assured.is_about_seconds("/after/timeout_ms", 120), "{assured}");
    has_its_cost(&assured)?;
    listings_agree(&lab, "ASSURED")?;

    let ended = trace.stop()?;
    ensure!(
        ended.status.success(),
        "rsct ended with {}\n{}",
        ended.status,
        ended.told()
    );
    let flows: Vec<_> = ended
        .lines
        .iter()
        .filter(|line| ours(line))
        .map(|line| line.number("/flow"))
        .collect();
    ensure!(
        flows.iter().all(|flow| flow.is_some() && *flow == flows[0]),
        "one exchange has several flows: {flows:?}\n{}",
        ended.told()
    );
    ensure!(
        ended.summary()?.number("/lost_total") == Some(0),
        "{}",
        ended.told()
    );
    Ok(())
}

fn has_its_cost(line: &Line) -> Result<()> {
    ensure!(
        line.number("/duration_ns").is_some_and(|ns| ns > 0),
        "no cost: {line}"
    );
    Ok(())
}

fn listings_agree(lab: &Lab, moment: &str) -> Result<()> {
    let ours = lab.server.list(&["-p", "udp"])?;
    let theirs = lab.server.conntrack(&["-p", "udp"])?;
    ensure!(!theirs.is_empty(), "conntrack lists nothing");
    same_but_for_time(&ours, &theirs).with_context(|| format!("when the entry is {moment}"))
}
