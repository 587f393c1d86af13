//! A UDP exchange between two namespaces: watch reports that its entry is created, replied to and deleted, with its
//! counters; `trace` of the same packets is the other source.

use anyhow::{Result, ensure};

use crate::lab::{Lab, Line, Trace, traffic};

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    lab.server.sysctl("net/netfilter/nf_conntrack_acct", "1")?;
    let watch = Trace::of(
        lab.server
            .rsct(&["watch", "-o", "json", "-p", "udp", "--dport", "8890"]),
    )?;
    let (client, server) = traffic::udp(&lab, 8890)?;
    let port = i64::from(client.local_addr()?.port());
    let ours =
        |line: &Line, event: &str| line.text("/event") == event && line.number("/orig/sport") == Some(port);
    traffic::request(&client, &server)?;
    let new = watch.wait_for("the entry came", |line| ours(line, "new"))?;
    ensure!(
        new.number("/requester/portid").is_none(),
        "no netlink request made it: {new}"
    );
    traffic::reply(&client, &server)?;
    let replied = watch.wait_for("there was a reply", |line| {
        ours(line, "update") && line.lists("/status", "SEEN_REPLY")
    })?;
    ensure!(replied.number("/id") == new.number("/id"), "{replied}");
    lab.server.sh("conntrack -D -p udp --dport 8890 2>&1")?;
    let gone = watch.wait_for("the entry went", |line| ours(line, "destroy"))?;
    ensure!(
        gone.number("/requester/portid").is_some(),
        "a netlink request did that: {gone}"
    );
    ensure!(
        gone.number("/orig/packets") == Some(1) && gone.number("/reply/packets") == Some(1),
        "{gone}"
    );
    let ended = watch.stop()?;
    let summary = ended.summary()?;
    ensure!(
        summary.number("/destroyed") == Some(1) && summary.number("/packets") == Some(2),
        "{summary}"
    );
    Ok(())
}
