//! Question 15: a SYN was seen, but there is no entry: where did it end? At a rule, the reverse path filter, a missing
//! route, and conntrack itself.

use std::net::SocketAddrV4;

use anyhow::{Result, ensure};

use crate::{
    lab::{
        CLIENT, Lab, SERVER, Why,
        counters::{Counters, mib},
        limit::{Limit, MAX},
        raw,
        wait::until,
    },
    native::namespace::Namespace,
};

const OTHER: &str = "192.168.34.21";
const STRANGER: &str = "203.0.113.7";
const UNREACHABLE: &str = "198.51.100.1";

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    // The client's own conntrack does not track these.
    // The server has no route for packets to UNREACHABLE; packets to OTHER arrive from an address that the server would
    // answer by another route.
    lab.client.sh(&format!(
        "nft add table ip quiet
        nft 'add chain ip quiet output {{ type filter hook output priority raw; tcp dport 80 notrack; }}'
        sysctl -qw net.ipv4.conf.eth0.arp_announce=2
        ip addr add {STRANGER}/32 dev lo
        ip route add {UNREACHABLE} via {SERVER}
        ip route add {OTHER} dev eth0 src {STRANGER}"
    ))?;
    lab.server.sh(&format!(
        "ip addr add {OTHER}/24 dev eth0
        sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.eth0.rp_filter=1 net.ipv4.ip_forward=1
        nft -f - <<RULES
        table ip story {{
            chain input {{ type filter hook input priority 10; tcp dport 80 counter drop; }}
        }}
RULES"
    ))?;
    let before = Counters::of(&lab.server)?;
    let why = Why::start("drop", &lab.server.name, &[])?;
    let syn = |from: &str, port: u16, to: &str| {
        let from = SocketAddrV4::new(from.parse()?, port);
        let to = SocketAddrV4::new(to.parse()?, 80);
        lab.on_client(|| raw::tcp(from, to, raw::SYN, 1))
    };

    syn(CLIENT, 4001, SERVER)?;
    until("the rule has dropped it", || {
        let rules = lab.server.sh("nft list chain ip story input")?;
        Ok(rules.contains("counter packets 1 "))
    })?;
    no_entry(&lab.server)?;

    let filtered = mib(&lab.server, "TcpExt", "IPReversePathFilter")?;
    syn(STRANGER, 4002, OTHER)?;
    until("the reverse path filter has dropped it", || {
        Ok(mib(&lab.server, "TcpExt", "IPReversePathFilter")? == filtered + 1)
    })?;
    no_entry(&lab.server)?;

    let lost = mib(&lab.server, "IpExt", "InNoRoutes")?;
    syn(CLIENT, 4003, UNREACHABLE)?;
    until("it has found no route", || {
        Ok(mib(&lab.server, "IpExt", "InNoRoutes")? == lost + 1)
    })?;
    no_entry(&lab.server)?;
    // conntrack counts none of them as a drop.
    before.must_have_grown(&lab.server, &[])?;

    // The drop by conntrack itself: the table is full.
    lab.server.create(
        "-p tcp -s 10.0.0.1 -d 10.0.1.1 --sport 1003 --dport 443 --state ESTABLISHED -t 300 -u SEEN_REPLY,ASSURED",
    )?;
    let tiny = Limit::set(MAX, 1)?;
    syn(CLIENT, 4004, SERVER)?;
    until("conntrack has dropped it", || {
        Ok(Counters::of(&lab.server)?.get("drop")? == before.get("drop")? + 1)
    })?;
    drop(tiny);

    let answer = why.answer()?;
    for (cause, port, interface) in [
        ("rule", 4001, true),
        ("reverse_path", 4002, true),
        ("no_route", 4003, true),
        ("no_entry", 4004, true),
    ] {
        let met = answer.met(cause, 1)?;
        ensure!(met.number("/example/orig/sport") == Some(port), "{met}");
        ensure!(
            met.number("/example/tcp_flags") == Some(i64::from(raw::SYN)),
            "{met}"
        );
        ensure!(
            !interface || met.text("/interfaces/0/interface") == "eth0",
            "{met}"
        );
    }
    let hook =
        |cause: &str| -> Result<String> { Ok(answer.met(cause, 1)?.text("/interfaces/0/hook").to_owned()) };
    ensure!(hook("rule")? == "LOCAL_IN", "{}", answer.told);
    ensure!(hook("no_entry")? == "PRE_ROUTING", "{}", answer.told);
    ensure!(
        answer
            .met("rule", 1)?
            .text("/places/0/place")
            .starts_with("NETFILTER_DROP: "),
        "{}",
        answer.told
    );
    ensure!(answer.counter("drop") == Some(1), "{}", answer.told);
    answer.agrees()
}

fn no_entry(namespace: &Namespace) -> Result<()> {
    let listed = namespace.conntrack(&["-p", "tcp"])?;
    ensure!(
        listed.is_empty(),
        "a SYN that got nowhere has an entry:\n{listed}"
    );
    Ok(())
}
