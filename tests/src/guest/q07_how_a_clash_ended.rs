//! Question 7: how did a clash end, and which entries does it hide? Two datagrams from one socket, sent before the
//! first has an entry in the table: the second uses the first one's entry, or, if a rule sends it elsewhere, an entry
//! that no listing shows.

use anyhow::{Result, ensure};

use crate::{
    lab::{Lab, SERVER, Why, clash, counters::Counters, traffic, wait},
    native::namespace::Namespace,
};

/// The rule's alternate destination.
const OTHER: &str = "192.168.34.21";
const PUBLIC: &str = "192.168.34.99";

pub fn run() -> Result<()> {
    resolved()?;
    hidden()
}

/// Both have the same destination: one entry serves both.
fn resolved() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    let mut queue = clash::hold(&lab.client, "udp", &[])?;
    let before = Counters::of(&lab.client)?;
    let why = Why::start("insert", &lab.client.name, &[])?;
    let server = lab.on_server(|| Ok(std::net::UdpSocket::bind((SERVER, 53))?))?;
    server.set_read_timeout(Some(wait::DEADLINE))?;
    let client = clash::socket(&lab, clash::PORT)?;
    for question in ["A?", "AAAA?"] {
        traffic::send(&client, question.as_bytes(), (SERVER, 53))?;
    }
    queue.wait_for(2)?;
    queue.accept_all()?;
    let mut buffer = [0; 16];
    for question in ["A?", "AAAA?"] {
        let (length, from) = server.recv_from(&mut buffer)?;
        ensure!(
            &buffer[..length] == question.as_bytes() && from.port() == clash::PORT,
            "{:?} from {from} where {question} is expected",
            &buffer[..length]
        );
    }
    before.must_have_grown(&lab.client, &[("clash_resolve", 1)])?;
    ensure!(entries(&lab.client)? == 1, "one entry does for both");
    let answer = why.answer()?;
    let resolved = answer.met("clash_resolved", 1)?;
    for path in ["/example/orig", "/example/clashed_with/orig"] {
        ensure!(
            resolved.text(&format!("{path}/dst")) == SERVER
                && resolved.number(&format!("{path}/sport")) == Some(i64::from(clash::PORT)),
            "{resolved}"
        );
    }
    ensure!(answer.counter("clash_resolve") == Some(1), "{}", answer.told);
    answer.agrees()
}

/// Each has another destination: the second one's entry has only a reply, for a second, and is not listed.
fn hidden() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    lab.server.sh(&format!("ip addr add {OTHER}/24 dev eth0"))?;
    lab.client.sh(&format!(
        "nft add table ip story
        nft 'add chain ip story output {{ type nat hook output priority -100; }}'
        nft add rule ip story output ip daddr {PUBLIC} dnat to numgen inc mod 2 map '{{ 0 : {SERVER}, 1 : {OTHER} }}'"
    ))?;
    let mut queue = clash::hold(&lab.client, "udp", &[])?;
    let before = Counters::of(&lab.client)?;
    let why = Why::start("insert", &lab.client.name, &[])?;
    let client = clash::socket(&lab, clash::PORT)?;
    for question in ["A?", "AAAA?"] {
        traffic::send(&client, question.as_bytes(), (PUBLIC, 53))?;
    }
    queue.wait_for(2)?;
    queue.accept_all()?;
    let counted = entries(&lab.client)?;
    before.must_have_grown(&lab.client, &[("clash_resolve", 1)])?;
    let listed = lab.client.conntrack(&["-p", "udp"])?;
    ensure!(
        listed.lines().count() == 1 && listed.contains(&format!("src={SERVER}")),
        "the first one's entry is listed, and no other:\n{listed}"
    );
    // It is counted all the same, until it is deleted.
    ensure!(counted == 2, "{counted} entries are counted");

    let answer = why.answer()?;
    let hidden = answer.met("clash_hidden", 1)?;
    ensure!(
        hidden.text("/example/orig/dst") == PUBLIC
            && hidden.text("/example/reply/src") == OTHER
            && hidden.text("/example/clashed_with/orig/dst") == PUBLIC
            && hidden.text("/example/clashed_with/reply/src") == SERVER,
        "{hidden}"
    );
    ensure!(answer.counter("clash_resolve") == Some(1), "{}", answer.told);
    answer.agrees()
}

fn entries(namespace: &Namespace) -> Result<u32> {
    Ok(namespace.sh("conntrack -C")?.trim().parse()?)
}
