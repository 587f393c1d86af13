//! A burst that the ring cannot hold: lost records are counted and reported at once, and a dump corrects the table.

use std::{collections::BTreeSet, net::UdpSocket, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{
    lab::{CLIENT, Lab, Line, SERVER, Trace, wait},
    native::namespace::succeeds,
};

/// Number of flows while the ring is not read; a third of them is deleted again.
const FLOWS: u16 = 90;

pub fn run() -> Result<()> {
    let lab = Lab::new()?.with_lasting_udp()?;
    let server = lab.on_server(|| Ok(UdpSocket::bind((SERVER, 4001))?))?;
    let trace = Trace::start(&lab.client.name, &["--ring-size", "4", "--table"])?;
    trace.signal(libc::SIGSTOP)?;
    lab.on_client(|| {
        for port in 10_000..10_000 + FLOWS {
            UdpSocket::bind((CLIENT, port))?.send_to(b"one of many", server.local_addr()?)?;
        }
        (10_000..10_000 + FLOWS).step_by(3).try_for_each(delete)
    })?;
    trace.signal(libc::SIGCONT)?;
    let loss = trace.wait_for("records were lost", |line| line.text("/type") == "loss")?;
    ensure!(
        loss.number("/lost_total").is_some_and(|total| total > 0),
        "{loss}"
    );
    ensure!(
        ["packet_record", "entry_record"].contains(&loss.text("/losses/0/loss"))
            && loss.has("/losses/0/cpu")
            && loss.number("/losses/0/count").is_some_and(|count| count > 0),
        "{loss}"
    );

    // The records of the last flows were lost; only a dump can have shown them.
    let mut last = 10_000 + FLOWS;
    wait::until("a dump has shown the lost flows", || {
        last -= 1;
        if (last - 10_000).is_multiple_of(3) {
            last -= 1;
        }
        lab.on_client(|| delete(last))?;
        let gone = trace.wait_for("the flow was deleted", |line| {
            line.is_event("delete") && line.number("/orig/sport") == Some(i64::from(last))
        })?;
        Ok(gone.text("/known_from") == "both")
    })?;

    let ended = trace.stop()?;
    let known: BTreeSet<String> = ended
        .lines
        .iter()
        .filter(|line| line.text("/type") == "flow")
        .map(|line| ends(line, line.text("/orig/proto")))
        .collect();
    let listed: BTreeSet<String> = lab
        .client
        .list(&["-o", "json"])?
        .lines()
        .map(|text| Ok(Line(serde_json::from_str(text)?)))
        .map(|line: Result<Line>| line.map(|line| ends(&line, line.text("/orig/proto"))))
        .collect::<Result<_>>()?;
    ensure!(!listed.is_empty(), "no entry is left to compare");
    ensure!(
        known == listed,
        "the table has {known:#?}\nthe kernel {listed:#?}\n{}",
        ended.told()
    );
    let summary = ended.summary()?;
    ensure!(
        summary.number("/lost_total").is_some_and(|lost| lost > 0),
        "{summary}"
    );
    let said = &ended.stderr;
    ensure!(ended.status.success(), "{}: {said}", ended.status);
    ensure!(
        said.contains("LOST") && said.contains("the ring was full") && said.contains("CPU "),
        "rsct does not report the loss:\n{said}"
    );
    Ok(())
}

fn delete(port: u16) -> Result<()> {
    let port = port.to_string();
    succeeds(Command::new("conntrack").args(["-D", "-p", "udp", "--sport", &port]))
        .map(drop)
        .with_context(|| format!("delete the flow from port {port}"))
}

fn ends(line: &Line, proto: &str) -> String {
    let number = |path| line.number(path).unwrap_or_default();
    format!(
        "{proto} {}:{} -> {}:{}",
        line.text("/orig/src"),
        number("/orig/sport"),
        line.text("/orig/dst"),
        number("/orig/dport")
    )
}
