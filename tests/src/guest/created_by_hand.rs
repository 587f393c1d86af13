//! `conntrack -I` makes an entry without a packet: the trace names the task.

use anyhow::{Result, ensure};

use crate::lab::{Lab, Line, Trace};

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let trace = Trace::start(&lab.server.name, &["--table"])?;
    lab.server.create(
        "-p tcp -s 10.0.0.1 -d 10.0.1.1 --sport 1003 --dport 443 --state ESTABLISHED -t 300 -u SEEN_REPLY,ASSURED",
    )?;
    let created = trace.wait_for("an entry is made", |line| line.is_event("check_insert"))?;
    ensure!(created.number("/returned") == Some(0), "{created}");
    ensure!(created.text("/orig/src") == "10.0.0.1", "{created}");
    ensure!(created.text("/reply/src") == "10.0.1.1", "{created}");
    ensure!(created.number("/orig/sport") == Some(1003), "{created}");
    ensure!(created.text("/after/state") == "ESTABLISHED", "{created}");
    ensure!(created.lists("/after/status", "ASSURED"), "{created}");
    ensure!(created.is_about_seconds("/after/timeout_ms", 300), "{created}");
    ensure!(created.text("/comm") == "conntrack", "{created}");
    ensure!(created.number("/pid").is_some_and(|pid| pid > 1), "{created}");
    ensure!(created.text("/known_from") == "probe", "{created}");

    let ended = trace.stop()?;
    let both = |line: &Line| line.text("/type") == "flow" && line.text("/known_from") == "both";
    ensure!(
        ended.lines.iter().filter(|line| both(line)).count() == 1,
        "{}",
        ended.told()
    );
    Ok(())
}
