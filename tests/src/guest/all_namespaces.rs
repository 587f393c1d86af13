//! `--netns all`: one datagram is seen leaving the client's namespace and entering the server's, as two
//! flows.

use anyhow::{Result, ensure};

use crate::lab::{Lab, Line, Trace, inode, traffic};

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let (client, server) = traffic::udp(&lab, 8888)?;
    let port = i64::from(client.local_addr()?.port());
    let trace = Trace::start("all", &["--table"])?;
    traffic::request(&client, &server)?;
    let created_in = |netns: i64, hook: &str| -> Result<Line> {
        trace.wait_for(&format!("an entry is created at {hook}"), |line| {
            line.is_outcome("created")
                && line.number("/orig/sport") == Some(port)
                && line.number("/netns") == Some(netns)
                && line.text("/hook") == hook
        })
    };
    let (client_netns, server_netns) = (inode(&lab.client)?, inode(&lab.server)?);
    let leaving = created_in(client_netns, "LOCAL_OUT")?;
    let entering = created_in(server_netns, "PRE_ROUTING")?;
    ensure!(
        leaving.number("/flow") != entering.number("/flow"),
        "{leaving}\n{entering}"
    );

    let ended = trace.stop()?;
    for netns in [client_netns, server_netns] {
        let listed = ended.lines.iter().any(|line| {
            line.text("/type") == "flow"
                && line.number("/netns") == Some(netns)
                && line.number("/orig/sport") == Some(port)
                && line.text("/known_from") == "both"
        });
        ensure!(listed, "namespace {netns} was not dumped\n{}", ended.told());
    }
    Ok(())
}
