//! One exchange, traced by fentry and by kprobes: the same events, in the same order.

use std::{net::UdpSocket, process::Command};

use anyhow::{Result, ensure};

use crate::{
    lab::{CLIENT, Lab, Line, SERVER, Trace, traffic},
    native::namespace::rsct,
};

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let by_fentry = story(&lab, "fentry")?;
    let by_kprobe = story(&lab, "kprobe")?;
    ensure!(by_fentry.len() > 6, "that is no story: {by_fentry:#?}");
    ensure!(
        by_fentry == by_kprobe,
        "by fentry {by_fentry:#?}\nby kprobe {by_kprobe:#?}"
    );
    Ok(())
}

fn story(lab: &Lab, form: &str) -> Result<Vec<String>> {
    let mut command = Command::new(rsct());
    command.args(["trace", "-o", "json", "-p", "udp", "--refresh", "--no-causes"]);
    command.args(["--netns", &lab.client.name, "--attach", form]);
    let trace = Trace::of(command)?;
    let server = lab.on_server(|| Ok(UdpSocket::bind((SERVER, 4001))?))?;
    let client = lab.on_client(|| Ok(UdpSocket::bind((CLIENT, 4000))?))?;
    let mut buffer = [0; 16];
    for _ in 0..2 {
        traffic::send(&client, b"question", server.local_addr()?)?;
        server.recv(&mut buffer)?;
        traffic::send(&server, b"answer", client.local_addr()?)?;
        client.recv(&mut buffer)?;
    }
    lab.client.sh("conntrack -D -p udp --sport 4000")?;
    trace.wait_for("the entry is destroyed", |line| line.is_event("destroy"))?;
    let ended = trace.stop()?;
    Ok(ended.lines.iter().filter_map(gist).collect())
}

/// The parts of a line that do not depend on time.
fn gist(line: &Line) -> Option<String> {
    if !["packet", "entry"].contains(&line.text("/type")) {
        return None;
    }
    let list = |path| line.0.pointer(path).map(ToString::to_string).unwrap_or_default();
    let seconds = |path| (line.number(path).unwrap_or_default() + 500) / 1000;
    Some(format!(
        "{} {}{} {} {} {} {} -> {} {} {} {}",
        line.text("/type"),
        line.text("/event"),
        line.text("/outcome"),
        line.text("/hook"),
        line.text("/dir"),
        list("/flow"),
        list("/before/status"),
        list("/after/status"),
        seconds("/refresh_ms"),
        list("/returned"),
        line.has("/duration_ns"),
    ))
}
