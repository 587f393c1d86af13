//! A whole TCP connection: all of its states, with the flags and numbers of the packets that led to them.

use anyhow::{Context as _, Result, ensure};

use crate::lab::{Lab, Line, SERVER, Trace, raw, traffic};

const STATES: [&str; 7] = [
    "SYN_SENT",
    "SYN_RECV",
    "ESTABLISHED",
    "FIN_WAIT",
    "CLOSE_WAIT",
    "LAST_ACK",
    "TIME_WAIT",
];
const FIN: u8 = 1;

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let trace = Trace::start(&lab.server.name, &[])?;
    let port = traffic::tcp(&lab, SERVER, 8080, 8080)?;
    let ours = |line: &Line| line.is_packet() && line.number("/orig/sport") == Some(port);
    trace.wait_for("the connection is in TIME_WAIT", |line| {
        ours(line) && line.text("/after/state") == "TIME_WAIT"
    })?;
    let ended = trace.stop()?;
    let packets: Vec<&Line> = ended.lines.iter().filter(|line| ours(line)).collect();
    let changes: Vec<&&Line> = packets
        .iter()
        .filter(|line| line.text("/before/state") != line.text("/after/state"))
        .collect();
    let states: Vec<&str> = changes.iter().map(|line| line.text("/after/state")).collect();
    ensure!(states == STATES, "{states:?}\n{}", ended.told());
    for pair in packets.windows(2) {
        ensure!(
            pair[0].text("/after/state") == pair[1].text("/before/state"),
            "the state changed between two packets\n{}\n{}",
            pair[0],
            pair[1]
        );
    }

    let flags = |line: &Line| {
        line.number("/tcp_header/tcp_flags")
            .and_then(|flags| u8::try_from(flags).ok())
    };
    let (syn, syn_ack, fin, last) = (changes[0], changes[1], changes[3], changes[6]);
    ensure!(syn.is_outcome("created") && syn.text("/dir") == "orig", "{syn}");
    ensure!(flags(syn) == Some(raw::SYN), "{syn}");
    ensure!(syn_ack.text("/dir") == "reply", "{syn_ack}");
    ensure!(flags(syn_ack) == Some(raw::SYN | raw::ACK), "{syn_ack}");
    let seq = syn.number("/tcp_header/seq").context("a sequence number")?;
    ensure!(
        syn_ack.number("/tcp_header/ack") == Some((seq + 1) % (1 << 32)),
        "{syn}\n{syn_ack}"
    );
    ensure!(flags(fin).is_some_and(|flags| flags & FIN != 0), "{fin}");
    ensure!(flags(last) == Some(raw::ACK), "{last}");
    ensure!(changes[2].sets("ASSURED"), "{}", changes[2]);
    ensure!(last.is_about_seconds("/after/timeout_ms", 120), "{last}");
    Ok(())
}
