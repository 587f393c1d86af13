//! Question 9: how long did NAT search for a port, and how many ports did it try? A rule with a few ports, and more
//! flows than ports to one destination.

use std::net::SocketAddrV4;

use anyhow::{Result, ensure};

use crate::lab::{CLIENT, Lab, SERVER, Why, clash, counters::Counters, raw, traffic};

const FIRST: u16 = 50_000;
const PORTS: u16 = 10;
const TCP_PORTS: u16 = 4;

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?.with_lasting_udp()?;
    lab.client.sh(&format!(
        "nft add table ip story
        nft 'add chain ip story postrouting {{ type nat hook postrouting priority srcnat; }}'
        nft add rule ip story postrouting udp dport 53 masquerade to :{FIRST}-{}",
        FIRST + PORTS - 1
    ))?;
    lab.client.sh(&format!(
        "nft add rule ip story postrouting tcp dport 80 masquerade to :{FIRST}-{}",
        FIRST + TCP_PORTS - 1
    ))?;
    // A reset would free a port.
    lab.server.sh("nft add rule inet lab input tcp dport 80 drop")?;
    let before = Counters::of(&lab.client)?;
    let why = Why::start("nat", &lab.client.name, &[])?;
    // Each of these finds one, wherever the search begins.
    for n in 0..PORTS {
        traffic::send(
            &clash::socket(&lab, 4000 + n)?,
            b"room for one more",
            (SERVER, 53),
        )?;
    }
    let listed = lab.client.conntrack(&["-p", "udp", "-s", CLIENT])?;
    for port in FIRST..FIRST + PORTS {
        ensure!(
            listed.contains(&format!("dport={port}")),
            "{port} is left:\n{listed}"
        );
    }
    before.must_have_grown(&lab.client, &[])?;
    let found = Counters::of(&lab.client)?.get("found")? - before.get("found")?;

    // Then none is free: each of them is tried, and the packet dropped.
    let sent = clash::socket(&lab, 4000 + PORTS)?.send_to(b"room for none", (SERVER, 53));
    ensure!(sent.is_err(), "{sent:?}");
    before.must_have_grown(&lab.client, &[("insert_failed", 1), ("drop", 1)])?;
    let all = Counters::of(&lab.client)?.get("found")? - before.get("found")?;
    ensure!(
        all == found + u64::from(PORTS),
        "{} taken ports were tried where there are {PORTS}",
        all - found
    );

    // Kernels from 6.2 or so on use another lookup for the last few tuples that TCP tries.
    let to = SocketAddrV4::new(SERVER.parse()?, 80);
    let syn = |port| lab.on_client(|| raw::tcp(clash::client(port), to, raw::SYN, 1));
    for n in 0..TCP_PORTS {
        syn(5000 + n)?;
    }
    ensure!(
        syn(5000 + TCP_PORTS).is_err(),
        "a SYN found a port where there is none"
    );
    before.must_have_grown(&lab.client, &[("insert_failed", 2), ("drop", 2)])?;
    let all = Counters::of(&lab.client)?.get("found")? - before.get("found")?;

    let answer = why.answer()?;
    let exhausted = answer.met("exhausted", 2)?;
    let longest = |path: &str| exhausted.number(&format!("/longest/0/{path}"));
    ensure!(
        longest("attempts") == Some(i64::from(PORTS)) && longest("taken") == Some(i64::from(PORTS)),
        "{exhausted}"
    );
    ensure!(
        longest("port_min") == Some(i64::from(FIRST))
            && longest("port_max") == Some(i64::from(FIRST + PORTS - 1))
            && longest("orig/sport") == Some(i64::from(4000 + PORTS))
            && longest("duration_ns") > Some(0),
        "{exhausted}"
    );
    ensure!(
        exhausted.text("/longest/0/changes") == "source"
            && exhausted.text("/longest/0/address_min") == CLIENT
            && exhausted.text("/longest/0/got/address") == CLIENT,
        "{exhausted}"
    );
    ensure!(
        exhausted.text("/longest/1/orig/proto") == "tcp"
            && exhausted.number("/longest/1/attempts") == Some(i64::from(TCP_PORTS))
            && exhausted.number("/longest/1/taken") == Some(i64::from(TCP_PORTS)),
        "{exhausted}"
    );
    // The others found theirs, after the number of failed attempts that the kernel counts.
    let found_one = answer.count("first_try") + answer.count("searched");
    ensure!(found_one == i64::from(PORTS + TCP_PORTS), "{}", answer.told);
    ensure!(
        answer.counter("found") == Some(i64::try_from(all)?),
        "{}",
        answer.told
    );
    answer.agrees()
}
