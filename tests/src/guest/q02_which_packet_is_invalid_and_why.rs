//! INVALID packets, each for a reason of its own: `rsct why invalid` names each reason, the flow of the packets and the
//! interface by which they arrived, and its counts are the kernel's.

use std::net::{Ipv4Addr, SocketAddrV4};

use anyhow::{Context as _, Result, ensure};

use crate::lab::{CLIENT, Lab, Recording, Why, raw};

const FROM: Ipv4Addr = Ipv4Addr::new(192, 168, 34, 12);
const TO: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(192, 168, 34, 11), 9);

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    let invalid = |lab: &Lab| counter(lab, "invalid");
    let before = invalid(&lab)?;
    let recording = Recording::start(&lab.server.name)?;
    let why = Why::start("invalid", &lab.server.name, &[])?;

    lab.on_client(|| {
        // Unexpected resets open nothing, however loose conntrack is.
        for _ in 0..3 {
            raw::tcp(SocketAddrV4::new(FROM, 4001), TO, raw::RST | raw::ACK, 7)?;
        }
        // A combination that no segment may have. The RST flag prevents an answer of the server.
        raw::tcp(SocketAddrV4::new(FROM, 4002), TO, raw::SYN | raw::RST, 7)?;
        // Twenty octets of a header without a checksum.
        let mut segment = [0; 20];
        segment[..4].copy_from_slice(&[0x0f, 0xa3, 0, 9]);
        segment[12..16].copy_from_slice(&[5 << 4, raw::SYN, 0xff, 0xff]);
        raw::send(6, (*TO.ip()).into(), &segment)?;
        // An echo reply without a request.
        raw::icmp(*TO.ip(), 0, 0, &[0, 1, 0, 1])?;
        // Port unreachable, about a datagram that was never sent.
        raw::icmp(*TO.ip(), 3, 3, &error_about_nothing())
    })?;

    let answer = why.answer()?;
    let not_new = answer.met("tcp_not_new", 3)?;
    ensure!(not_new.text("/top_flows/0/orig/src") == CLIENT, "{not_new}");
    ensure!(
        not_new.number("/top_flows/0/orig/sport") == Some(4001),
        "{not_new}"
    );
    ensure!(not_new.number("/top_flows/0/count") == Some(3), "{not_new}");
    ensure!(not_new.text("/interfaces/0/interface") == "eth0", "{not_new}");
    ensure!(not_new.text("/interfaces/0/hook") == "PRE_ROUTING", "{not_new}");
    ensure!(
        not_new.text("/namespaces/0/netns_name") == lab.server.name,
        "{not_new}"
    );
    ensure!(
        not_new.number("/example/tcp_flags") == Some(i64::from(raw::RST | raw::ACK)),
        "{not_new}"
    );
    let flags = answer.met("tcp_flags", 1)?;
    ensure!(
        flags.text("/places/0/place") == "invalid tcp flag combination",
        "{flags}"
    );
    let checksum = answer.met("checksum", 1)?;
    ensure!(checksum.text("/places/0/place") == "bad checksum", "{checksum}");
    ensure!(
        checksum.number("/top_flows/0/orig/sport") == Some(4003),
        "{checksum}"
    );
    answer.met("icmp_not_request", 1)?;
    answer.met("icmp_unknown_flow", 1)?;
    ensure!(answer.line.number("/count") == Some(7), "{}", answer.told);
    answer.agrees()?;
    // The kernel counts the ICMP error under another name.
    let grown = invalid(&lab)? - before;
    ensure!(grown == 6, "the kernel counts {grown}\n{}", answer.told);
    ensure!(answer.counter("invalid") == Some(6), "{}", answer.told);
    ensure!(answer.counter("error") == Some(1), "{}", answer.told);
    recording
        .stop()?
        .must_equal("invalid", &answer)?
        .agrees_unless_skipped()
}

/// Four unused octets, and the datagram that the error is about: from the server's port 5000 to the client's 5001.
fn error_about_nothing() -> Vec<u8> {
    let mut inner = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
    inner.extend_from_slice(&TO.ip().octets());
    inner.extend_from_slice(&FROM.octets());
    inner.extend_from_slice(&[0x13, 0x88, 0x13, 0x89, 0, 8, 0, 0]);
    [&[0; 4][..], &inner].concat()
}

/// A counter of `conntrack -S`, over all CPUs.
fn counter(lab: &Lab, name: &str) -> Result<i64> {
    let stats = lab.server.sh("conntrack -S")?;
    let name = format!("{name}=");
    stats
        .split_ascii_whitespace()
        .filter_map(|word| word.strip_prefix(&name))
        .map(|value| {
            value
                .parse::<i64>()
                .with_context(|| format!("read {name} in {stats}"))
        })
        .sum()
}
