//! A segment of no connection, and one with a wrong checksum: conntrack classifies both as INVALID, and so does the
//! trace.

use std::net::SocketAddrV4;

use anyhow::{Result, ensure};

use crate::lab::{CLIENT, Lab, Line, SERVER, Trace, raw};

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let trace = Trace::start(&lab.server.name, &[])?;
    let from = |port| SocketAddrV4::new([192, 168, 34, 12].into(), port);
    let to = SocketAddrV4::new([192, 168, 34, 11].into(), 9);

    // An unexpected reset opens nothing, however loose conntrack is.
    lab.on_client(|| raw::tcp(from(4001), to, raw::RST | raw::ACK, 7))?;
    let reset = invalid(&trace, 4001)?;
    ensure!(reset.text("/orig/src") == CLIENT, "{reset}");
    ensure!(reset.text("/orig/dst") == SERVER, "{reset}");
    ensure!(
        reset.number("/tcp_header/tcp_flags") == Some(i64::from(raw::RST | raw::ACK)),
        "{reset}"
    );
    ensure!(reset.number("/tcp_header/seq") == Some(7), "{reset}");

    // Twenty octets of a header without a checksum.
    let mut segment = [0; 20];
    segment[..4].copy_from_slice(&[0x0f, 0xa2, 0, 9]);
    segment[12..16].copy_from_slice(&[5 << 4, raw::SYN, 0xff, 0xff]);
    lab.on_client(|| raw::send(6, (*to.ip()).into(), &segment))?;
    invalid(&trace, 4002)?;

    let ended = trace.stop()?;
    let summary = ended.summary()?;
    // IPv6 may have sent packets of its own.
    let invalid = |line: &&Line| line.is_outcome("invalid") && line.text("/orig/proto") == "tcp";
    let count = ended.lines.iter().filter(invalid).count();
    ensure!(count == 2, "{count} segments are invalid\n{}", ended.told());
    ensure!(summary.number("/invalid") >= Some(2), "{}", ended.told());
    // An entry that conntrack frees with its packet is no flow, or a flood would fill the table.
    ensure!(summary.number("/flows_from_probe") == Some(0), "{}", ended.told());
    ensure!(
        !ended
            .lines
            .iter()
            .any(|line| line.is_event("confirm") && line.text("/orig/proto") == "tcp"),
        "an invalid packet has an entry\n{}",
        ended.told()
    );
    Ok(())
}

fn invalid(trace: &Trace, port: i64) -> Result<Line> {
    let line = trace.wait_for(&format!("the packet from port {port} is invalid"), |line| {
        line.is_outcome("invalid") && line.number("/orig/sport") == Some(port)
    })?;
    // Conntrack accepts it without an entry; rules decide about it.
    ensure!(line.number("/verdict") == Some(1), "{line}");
    ensure!(!line.has("/after"), "{line}");
    Ok(line)
}
