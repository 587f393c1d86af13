//! Question 13, why an entry stays UNREPLIED: `rsct why unreplied` names the hook and the interface of each direction
//! if replies have another route than requests, and the fate of replies that arrive and are not recognised. `conntrack`
//! is the reference for UNREPLIED entries, the interfaces' own counters for the routes.

use std::{
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::{
    guest::ATTACH,
    lab::{CLIENT, Lab, Line, Routers, SERVER, Trace, inode, raw, traffic},
    native::namespace::{Namespace, rsct, succeeds},
};

/// Datagrams in each direction.
const ROUNDS: u64 = 5;

pub fn run() -> Result<()> {
    replies_by_another_route()?;
    unrecognised_replies()
}

/// rsct in the form of this run.
fn why_unreplied(netns: &str, duration: &str, args: &[&str]) -> Command {
    let mut command = Command::new(rsct());
    command
        .args(["why", "unreplied", "--duration", duration, "--netns", netns])
        .args(args);
    if let Ok(mode) = std::env::var(ATTACH) {
        command.args(["--attach", &mode]);
    }
    command
}

/// Requests are routed through one router, and replies through another.
fn replies_by_another_route() -> Result<()> {
    let [client, there, back, server] = ["client", "there", "back", "server"].map(Namespace::new);
    let routers = Routers::new(client?, there?, back?, server?)?;
    let Routers {
        there,
        back,
        asking,
        answering,
        ..
    } = &routers;
    let counted = || -> Result<[u64; 4]> {
        Ok([
            received(there, "cl")?,
            received(there, "sv")?,
            received(back, "cl")?,
            received(back, "sv")?,
        ])
    };

    let trace = Trace::of(why_unreplied(&there.name, "10m", &["-p", "udp", "-o", "json"]))?;
    let before = counted()?;
    for _ in 0..ROUNDS {
        traffic::request(asking, answering)?;
        traffic::reply(asking, answering)?;
    }
    let grown: Vec<u64> = counted()?
        .iter()
        .zip(before)
        .map(|(now, before)| now - before)
        .collect();
    ensure!(
        grown == [ROUNDS, 0, 0, ROUNDS],
        "the interfaces counted {grown:?}, so replies do not take another way"
    );
    let listed = there.conntrack(&["-p", "udp", "--dport", "7000"])?;
    ensure!(listed.contains("[UNREPLIED]"), "{listed}");
    let ended = trace.stop()?;
    ensure!(ended.status.success(), "{}", ended.told());
    let told = entry(&ended.lines, 7000).with_context(|| ended.told())?;
    ensure!(told.text("/conclusion") == "reply_elsewhere", "{told}");
    ensure!(told.text("/netns_name") == there.name, "{told}");
    ensure!(told.number("/requests") == Some(ROUNDS.try_into()?), "{told}");
    ensure!(told.number("/replies") == Some(0), "{told}");
    is_met(told, "request", there, "PRE_ROUTING cl", "tracked")?;
    is_met(told, "reply_elsewhere", back, "PRE_ROUTING sv", "tracked")?;
    let expected = format!("{ROUNDS} packets at PRE_ROUTING on sv, netns {}", back.name);
    ensure!(told.text("/explanation").contains(&expected), "{told}");
    Ok(())
}

/// Packets that an interface has received.
fn received(namespace: &Namespace, interface: &str) -> Result<u64> {
    let told = namespace.with_devices(&format!("cat /sys/class/net/{interface}/statistics/rx_packets"))?;
    told.trim()
        .parse()
        .with_context(|| format!("the counter of {interface}: {told}"))
}

/// The line about the entry with this destination port.
fn entry(lines: &[Line], dport: i64) -> Option<&Line> {
    lines
        .iter()
        .find(|line| line.text("/type") == "unreplied" && line.number("/orig/dport") == Some(dport))
}

/// Checks that all packets were seen in this role and place, and the last of them with this outcome.
fn is_met(told: &Line, role: &str, netns: &Namespace, place: &str, outcome: &str) -> Result<()> {
    let inode = inode(netns)?;
    let (hook, interface) = place.split_once(' ').context("a hook and an interface")?;
    let seen = told.0["seen"].as_array().context("what was seen")?;
    let met: Vec<_> = seen
        .iter()
        .filter(|seen| {
            seen["role"] == role
                && seen["netns"] == inode
                && seen["hook"] == hook
                && seen["interface"] == interface
        })
        .collect();
    let packets: u64 = met.iter().filter_map(|seen| seen["packets"].as_u64()).sum();
    ensure!(
        packets == ROUNDS && met.last().is_some_and(|seen| seen["outcome"] == outcome),
        "{ROUNDS} packets as {role} at {hook} on {interface}, {outcome}, are missing\n{told}"
    );
    Ok(())
}

/// On the client: replies that a rule leaves untracked, that have another source port, that are INVALID, an error
/// instead of a reply, and no reply.
fn unrecognised_replies() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?.with_lasting_udp()?;
    let client = &lab.client;
    client.sh("iptables -t raw -A PREROUTING -p udp --sport 7001 -j NOTRACK
        iptables -A INPUT -p tcp --sport 7004 -j DROP")?;
    lab.server.sh("iptables -A INPUT -p tcp --dport 7004 -j DROP")?;
    client.create("-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 7006 -t 600")?;
    let sockets = [7001, 7002, 7003, 7007, 7008]
        .map(|port| traffic::udp(&lab, port))
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    let [untracked, other_port, silent, late, redirected] = &sockets[..] else {
        anyhow::bail!("five pairs of sockets");
    };
    let from_another = lab.on_server(|| Ok(UdpSocket::bind((SERVER, 0))?))?;
    // Its entry exists before, and is replied to later.
    traffic::request(&late.0, &late.1)?;

    let trace = Trace::of(why_unreplied(&client.name, "10m", &["-o", "json"]))?;
    let to_nobody = lab.on_client(|| Ok(UdpSocket::bind((CLIENT, 0))?))?;
    for round in 0..ROUNDS {
        traffic::request(&untracked.0, &untracked.1)?;
        traffic::reply(&untracked.0, &untracked.1)?;
        traffic::request(&other_port.0, &other_port.1)?;
        traffic::send(&from_another, b"from elsewhere", other_port.0.local_addr()?)?;
        other_port.0.recv_from(&mut [0; 64])?;
        traffic::request(&silent.0, &silent.1)?;
        traffic::request(&redirected.0, &redirected.1)?;
        redirect(&lab, redirected.0.local_addr()?.port(), 7008)?;
        // The port has no listener.
        let _ = to_nobody.send_to(b"anybody?", (SERVER, 7005));
        let (from, to) = (
            SocketAddrV4::new(CLIENT.parse()?, 40_000),
            SocketAddrV4::new(SERVER.parse()?, 7004),
        );
        if round == 0 {
            lab.on_client(|| raw::tcp(from, to, raw::SYN, 0xf000_0000))?;
        }
        // It acknowledges sequence number 0, far after the sent data: that is invalid; a number before the sent data is
        // not (tcp_in_window() in net/netfilter/nf_conntrack_proto_tcp.c).
        lab.on_server(|| raw::tcp(to, from, raw::SYN | raw::ACK, 9_000_000))?;
    }
    traffic::reply(&late.0, &late.1)?;
    let unreplied = client.conntrack(&["-u", "UNREPLIED"])?;
    let ended = trace.stop()?;
    ensure!(ended.status.success(), "{}", ended.told());
    for dport in ["7001", "7002", "7003", "7004", "7005", "7006", "7008"] {
        ensure!(
            unreplied
                .lines()
                .any(|line| line.contains(&format!("dport={dport} [UNREPLIED]"))),
            "the entry of port {dport} is not UNREPLIED\n{unreplied}\n{}",
            ended.told()
        );
    }
    for (dport, verdict) in [
        (7001, "reply_untracked"),
        (7002, "reply_is_another_flow"),
        (7003, "one_way"),
        (7004, "reply_invalid"),
        (7005, "icmp_error"),
        (7006, "no_packets_now"),
        (7007, "answered"),
        // A redirect is sent for a packet that was forwarded.
        (7008, "one_way"),
    ] {
        let told = entry(&ended.lines, dport).with_context(|| format!("no {dport}\n{}", ended.told()))?;
        ensure!(told.text("/conclusion") == verdict, "{told}\n{}", ended.told());
    }
    let told = |dport| entry(&ended.lines, dport).context("it was there before");
    has_icmp(told(7005)?, "icmp_error", (3, 3, "port_unreachable"))?;
    ensure!(
        told(7005)?.text("/advice").contains("service on that port"),
        "{}",
        told(7005)?
    );
    has_icmp(told(7008)?, "icmp_redirect", (5, 1, "redirect"))?;
    for dport in [7001, 7002, 7003] {
        is_met(told(dport)?, "request", client, "LOCAL_OUT eth0", "tracked")?;
        is_met(
            told(dport)?,
            "request_elsewhere",
            &lab.server,
            "PRE_ROUTING eth0",
            "tracked",
        )?;
    }
    is_met(
        told(7001)?,
        "reply_not_taken",
        client,
        "PRE_ROUTING eth0",
        "untracked",
    )?;
    is_met(
        told(7002)?,
        "reply_from_another_end",
        client,
        "PRE_ROUTING eth0",
        "tracked",
    )?;
    is_met(
        told(7004)?,
        "reply_not_taken",
        client,
        "PRE_ROUTING eth0",
        "invalid",
    )?;
    let total = ended
        .lines
        .iter()
        .find(|line| line.text("/type") == "why_unreplied")
        .with_context(|| ended.told())?;
    ensure!(total.number("/lost_total") == Some(0), "{total}");
    // Those of ports 7003 and 7008.
    ensure!(total.number("/conclusions/one_way") == Some(2), "{total}");
    // The reply from another port has an entry of its own.
    ensure!(total.number("/conclusions/stray_reply") == Some(1), "{total}");

    // As text, for one of them.
    let filter = ["-p", "udp", "--dport", "7006"];
    let text = succeeds(&mut why_unreplied(&client.name, "0s", &filter))?;
    ensure!(
        text.contains("udp 10.0.0.1:1 > 10.0.0.2:7006") && text.contains("no_packets_now: no packet"),
        "{text}"
    );
    ensure!(text.contains("1 UNREPLIED entry, watched for"), "{text}");
    Ok(())
}

/// The server offers the client another gateway for a packet that it sent.
fn redirect(lab: &Lab, sport: u16, dport: u16) -> Result<()> {
    const GATEWAY: [u8; 4] = [10, 0, 0, 3];
    let [client, server]: [Ipv4Addr; 2] = [CLIENT.parse()?, SERVER.parse()?];
    let ip = [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0];
    let ports = [sport.to_be_bytes(), dport.to_be_bytes()].concat();
    let rest = [
        &GATEWAY[..],
        &ip,
        &client.octets(),
        &server.octets(),
        &ports,
        &[0, 8, 0, 0],
    ]
    .concat();
    lab.on_server(|| raw::icmp(client, 5, 1, &rest))
}

/// Checks that ICMP errors from the server were seen in this role, with type, code and name.
fn has_icmp(told: &Line, role: &str, (kind, code, name): (u8, u8, &str)) -> Result<()> {
    let expected = json!({"icmp_type": kind, "icmp_code": code, "name": name, "sender": SERVER});
    let seen = told.0["seen"].as_array().context("what was seen")?;
    let met = seen
        .iter()
        .any(|seen| seen["role"] == role && seen["icmp"] == expected && seen["packets"] == ROUNDS);
    ensure!(met, "no {expected} as {role}\n{told}");
    Ok(())
}
