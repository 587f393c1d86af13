//! A ping over IPv4 and one over IPv6: an entry with type, code and id, and its reply.

use anyhow::{Result, ensure};

use crate::lab::{CLIENT, CLIENT_V6, Lab, Line, SERVER, SERVER_V6, Trace, raw};

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let trace = Trace::start(&lab.server.name, &[])?;
    ping(&lab, &trace, "icmp", CLIENT, SERVER, 8)?;
    ping(&lab, &trace, "icmpv6", CLIENT_V6, SERVER_V6, 128)
}

fn ping(lab: &Lab, trace: &Trace, proto: &str, client: &str, server: &str, kind: i64) -> Result<()> {
    const ID: u16 = 4711;
    lab.on_client(|| raw::ping(server.parse()?, ID))?;
    let ours =
        |line: &Line| line.text("/orig/proto") == proto && line.number("/orig/icmp_id") == Some(ID.into());
    let created = trace.wait_for(&format!("the {proto} entry is created"), |line| {
        ours(line) && line.is_outcome("created")
    })?;
    ensure!(created.text("/orig/src") == client, "{created}");
    ensure!(created.text("/orig/dst") == server, "{created}");
    ensure!(created.number("/orig/icmp_type") == Some(kind), "{created}");
    ensure!(created.number("/orig/icmp_code") == Some(0), "{created}");
    let replied = trace.wait_for(&format!("there is a reply over {proto}"), |line| {
        ours(line) && line.sets("SEEN_REPLY")
    })?;
    ensure!(replied.text("/dir") == "reply", "{replied}");
    ensure!(replied.text("/hook") == "LOCAL_OUT", "{replied}");
    ensure!(replied.number("/flow") == created.number("/flow"), "{replied}");
    Ok(())
}
