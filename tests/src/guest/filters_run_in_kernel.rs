//! Four flows, and every filter option: exactly the flows that it matches are reported.

use std::{
    collections::BTreeSet,
    net::{IpAddr, TcpListener, TcpStream, UdpSocket},
};

use anyhow::{Context as _, Result, ensure};

use crate::lab::{CLIENT, CLIENT_V6, Lab, Line, SERVER, SERVER_V6, Trace, inode, trace::Ended, traffic};

// Flows are identified by the server's ports.
const ZONED: i64 = 8001;
const MARKED: i64 = 8002;
const V6: i64 = 8003;
const TCP: i64 = 8004;

/// The client's port of the marked flow.
const MARKED_FROM: u16 = 5002;

/// Number of traces of the same traffic: a kernel attaches at most 38 fentry and fexit programs to a function, and each
/// trace has two at some.
const AT_ONCE: usize = 8;

const CASES: &[(&str, &[i64])] = &[
    ("--proto udp", &[ZONED, MARKED, V6]),
    ("--proto tcp", &[TCP]),
    ("--family ipv6", &[V6]),
    ("--family ipv4", &[ZONED, MARKED, TCP]),
    ("--src 192.168.34.12", &[ZONED, MARKED, TCP]),
    ("--src 192.168.34.16/28", &[]),
    ("--dst fd34::11", &[V6]),
    ("--reply-src fd34::10/124", &[V6]),
    ("--reply-dst 192.168.34.0/28", &[ZONED, MARKED, TCP]),
    ("--host fd34::12", &[V6]),
    ("--sport 5002", &[MARKED]),
    ("--dport 8001", &[ZONED]),
    ("--port 8004", &[TCP]),
    ("--zone 3", &[ZONED]),
    ("--zone 0", &[MARKED, V6, TCP]),
    ("--mark 0x15", &[MARKED]),
    ("--mark 0x5/0xf", &[MARKED]),
    ("--proto udp --family ipv4 --zone 0", &[MARKED]),
    // rsct checks these itself.
    ("--state ESTABLISHED", &[TCP]),
    ("--reply-port-src 8001", &[ZONED]),
    ("--proto udp --reply-port-src 8002", &[MARKED]),
    ("--any-nat", &[]),
];

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    lab.server.sh(&format!(
        "nft add table inet story
        nft 'add chain inet story prerouting {{ type filter hook prerouting priority raw; }}'
        nft add rule inet story prerouting udp dport {ZONED} ct zone set 3
        nft 'add chain inet story input {{ type filter hook input priority 0; }}'
        nft add rule inet story input udp dport {MARKED} ct mark set 0x15"
    ))?;
    let netns = inode(&lab.server)?;
    for cases in CASES.chunks(AT_ONCE) {
        lab.server.sh("conntrack -F 2>/dev/null")?;
        let filters: Vec<Vec<&str>> = cases
            .iter()
            .map(|(filter, _)| filter.split(' ').collect())
            .collect();
        let traces = Trace::start_all(&lab.server.name, &filters)?;
        play(&lab)?;
        for ((filter, expected), trace) in cases.iter().zip(traces) {
            let ended = trace.stop()?;
            passes(&ended, expected, netns).with_context(|| format!("{filter}\n{}", ended.told()))?;
        }
    }
    Ok(())
}

/// Checks that exactly the expected flows were reported, all of this namespace.
fn passes(ended: &Ended, expected: &[i64], netns: i64) -> Result<()> {
    let seen: BTreeSet<i64> = ended
        .lines
        .iter()
        .filter_map(|line| line.number("/orig/dport"))
        .collect();
    let expected: BTreeSet<i64> = expected.iter().copied().collect();
    ensure!(seen == expected, "{seen:?} came through, expected {expected:?}");
    // The client's namespace sees the same flows, and is not traced.
    let other = |line: &Line| line.number("/netns").is_some_and(|number| number != netns);
    ensure!(!ended.lines.iter().any(other), "another namespace came through");
    Ok(())
}

/// Two packets of each flow: a filter sees the effect of a rule on the first one at the second.
fn play(lab: &Lab) -> Result<()> {
    for (from, from_port, to, port) in [
        (CLIENT, 5001, SERVER, ZONED),
        (CLIENT, MARKED_FROM, SERVER, MARKED),
        (CLIENT_V6, 5003, SERVER_V6, V6),
    ] {
        let from: IpAddr = from.parse()?;
        let to: IpAddr = to.parse()?;
        let port = u16::try_from(port)?;
        let client = lab.on_client(|| Ok(UdpSocket::bind((from, from_port))?))?;
        let server = lab.on_server(|| Ok(UdpSocket::bind((to, port))?))?;
        server.set_read_timeout(Some(crate::lab::wait::DEADLINE))?;
        traffic::request(&client, &server)?;
        traffic::request(&client, &server)?;
    }
    let port = u16::try_from(TCP)?;
    let listener = lab.on_server(|| Ok(TcpListener::bind((SERVER, port))?))?;
    lab.on_client(|| TcpStream::connect((SERVER, port)).context("connect"))?;
    drop(listener);
    Ok(())
}
