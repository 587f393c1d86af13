//! The table is limited to one entry and has one: the next flow gets none, its packet is dropped, and the trace names
//! the cause.

use anyhow::{Result, ensure};

use crate::lab::{
    Lab, Trace,
    limit::{Limit, MAX},
    traffic,
};

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let (client, server) = traffic::udp(&lab, 9999)?;
    let port = i64::from(client.local_addr()?.port());
    let trace = Trace::start(&lab.server.name, &[])?;
    // An ASSURED entry is not dropped early for a new flow.
    lab.server.create(
        "-p tcp -s 10.0.0.1 -d 10.0.1.1 --sport 1003 --dport 443 --state ESTABLISHED -t 300 -u SEEN_REPLY,ASSURED",
    )?;
    let _tiny = Limit::set(MAX, 1)?;
    traffic::send(&client, b"full", server.local_addr()?)?;
    let failed = trace.wait_for("no entry could be allocated", |line| {
        line.is_event("alloc_failed")
    })?;
    // -ENOMEM
    ensure!(failed.number("/returned") == Some(-12), "{failed}");
    ensure!(failed.number("/orig/sport") == Some(port), "{failed}");
    let dropped = trace.wait_for("the packet is dropped", |line| line.is_outcome("dropped"))?;
    ensure!(dropped.number("/verdict") == Some(0), "{dropped}");
    ensure!(
        trace.stop()?.summary()?.number("/dropped") == Some(1),
        "{dropped}"
    );
    Ok(())
}
