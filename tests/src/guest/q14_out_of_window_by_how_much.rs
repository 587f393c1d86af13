//! Segments of a connection that lie outside its window: `rsct why invalid` prints the bound that each missed, and by
//! how many bytes; `rsct trace` agrees. The bound is the one that the kernel itself writes into its log.

use std::{
    net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{
    lab::{Lab, SERVER, Trace, Why, raw},
    native::namespace::succeeds,
};

/// Further than any window reaches.
const FAR: u32 = 500_000_000;

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    // The first sequence number is in the SYN.
    let trace = Trace::with_causes(&lab.server.name, &["-p", "tcp"])?;
    let listener = lab.on_server(|| Ok(TcpListener::bind((SERVER, 9014))?))?;
    let stream = lab.on_client(|| Ok(TcpStream::connect((SERVER, 9014))?))?;
    let _accepted = listener.accept()?;
    let (client, server) = (v4(stream.local_addr()?)?, v4(stream.peer_addr()?)?);
    let syn = trace.wait_for("the connection begins", |line| {
        line.is_packet() && line.number("/tcp_header/tcp_flags") == Some(i64::from(raw::SYN))
    })?;
    let first = u32::try_from(syn.number("/tcp_header/seq").context("a sequence number")?)?;
    let answer = trace.wait_for("it is answered", |line| {
        line.is_packet() && line.number("/tcp_header/tcp_flags") == Some(i64::from(raw::SYN | raw::ACK))
    })?;
    let theirs = u32::try_from(answer.number("/tcp_header/seq").context("a sequence number")?)?;

    // Namespaces other than the first write into the kernel's log only if a sysctl allows it.
    succeeds(Command::new("sh").args([
        "-ec",
        "modprobe nf_log_syslog; sysctl -qw net.netfilter.nf_log_all_netns=1",
    ]))?;
    lab.server
        .sh("sysctl -qw net.netfilter.nf_conntrack_log_invalid=6; dmesg -c >/dev/null")?;
    let why = Why::start("invalid", &lab.server.name, &[])?;
    let (seq, ack) = (first.wrapping_add(1), theirs.wrapping_add(1));
    lab.on_client(|| {
        raw::tcp_ack(client, server, raw::ACK, seq.wrapping_add(FAR), ack)?;
        raw::tcp_ack(client, server, raw::ACK, seq, ack.wrapping_add(FAR))
    })?;
    let answer = why.answer()?;
    let log = lab.server.sh("dmesg")?;
    // With logging the tracker reports everything twice: the trace has the first report, with the numbers.
    for cause in ["seq_over", "ack_over"] {
        let line = trace.wait_for(&format!("a segment is {cause}"), |line| {
            line.is_outcome("invalid") && line.text("/why/cause") == cause
        })?;
        let missed = answer
            .met(cause, 1)?
            .number("/example/out_of_window/missed_bytes");
        ensure!(line.number("/why/out_of_window/missed_bytes") == missed, "{line}");
    }
    trace.stop()?;

    let over = answer.met("seq_over", 1)?;
    ensure!(
        over.number("/example/out_of_window/value") == Some(i64::from(seq.wrapping_add(FAR))),
        "{over}"
    );
    missed(&over, &log, "SEQ is over upper bound")?;
    let over = answer.met("ack_over", 1)?;
    ensure!(
        over.number("/example/out_of_window/value") == Some(i64::from(ack.wrapping_add(FAR))),
        "{over}"
    );
    // The server has sent only its SYN.
    ensure!(
        over.number("/example/out_of_window/missed_bytes") == Some(i64::from(FAR)),
        "{over}"
    );
    missed(&over, &log, "ACK is over upper bound")?;
    ensure!(over.text("/example/orig/dst") == SERVER, "{over}");
    ensure!(answer.line.number("/count") == Some(2), "{}", answer.told);
    answer.agrees()
}

/// The bound is the kernel's less one, as accepted numbers lie before it; the miss is the difference.
fn missed(cause: &crate::lab::Line, log: &str, words: &str) -> Result<()> {
    let value = cause.number("/example/out_of_window/value").context("a value")?;
    let bound = cause.number("/example/out_of_window/bound").context("a bound")?;
    let bytes = cause
        .number("/example/out_of_window/missed_bytes")
        .context("a miss")?;
    ensure!(value.wrapping_sub(bound).rem_euclid(1 << 32) == bytes, "{cause}");
    ensure!(cause.number("/missed_bytes_spread/max") == Some(bytes), "{cause}");
    let place = log
        .find(words)
        .with_context(|| format!("`{words}` is not in the log:\n{log}"))?;
    let logged = log[place + words.len()..].split_ascii_whitespace().next();
    let logged: i64 = logged
        .and_then(|number| number.parse().ok())
        .context("the kernel's bound")?;
    ensure!(
        logged == (bound + 1).rem_euclid(1 << 32),
        "the kernel logged {logged}: {cause}"
    );
    Ok(())
}

fn v4(address: SocketAddr) -> Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(_) => bail!("{address} is not IPv4"),
    }
}
