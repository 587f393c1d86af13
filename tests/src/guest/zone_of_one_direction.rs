//! A zone of only one direction: `-w` selects its entries in `rsct list` as in `rsct trace`.

use anyhow::{Result, ensure};

use crate::lab::{Lab, Trace, traffic};

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    lab.server.sh("
        nft 'add table ip zones'
        nft 'add chain ip zones pre { type filter hook prerouting priority -300; }'
        nft add rule ip zones pre udp dport 9200 ct original zone set 5
    ")?;
    let (client, server) = traffic::udp(&lab, 9200)?;
    let (other_client, other_server) = traffic::udp(&lab, 9201)?;
    let trace = Trace::start(&lab.server.name, &["-w", "5", "--table"])?;
    traffic::request(&client, &server)?;
    traffic::request(&other_client, &other_server)?;
    trace.wait_for("the packet is in zone 5", |line| {
        line.is_packet() && line.number("/zone") == Some(5) && line.number("/orig/dport") == Some(9200)
    })?;
    let listed = lab.server.list(&["-w", "5"])?;
    ensure!(
        listed.lines().count() == 1 && listed.contains("dport=9200 zone-orig=5"),
        "{listed}"
    );
    let ended = trace.stop()?;
    let others = |line: &&crate::lab::Line| line.number("/orig/dport").is_some_and(|port| port != 9200);
    ensure!(ended.lines.iter().find(others).is_none(), "{}", ended.told());
    let known = ended.lines.iter().filter(|line| line.text("/type") == "flow");
    ensure!(known.count() == 1, "{}", ended.told());
    for (option, entries) in [("--zone-orig", 1), ("--zone-reply", 0)] {
        let listed = lab.server.list(&[option, "5"])?;
        ensure!(listed.lines().count() == entries, "{option} 5:\n{listed}");
    }
    Ok(())
}
