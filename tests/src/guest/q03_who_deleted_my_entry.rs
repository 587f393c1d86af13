//! Entries that are deleted before they expire, each by another cause: `rsct why delete` names each, the task if there
//! is one, and the kernel function that called for it.

use std::net::SocketAddrV4;

use anyhow::{Result, ensure};

use crate::{
    lab::{CLIENT, Lab, SERVER, Trace, Why, raw, traffic, wait},
    native::namespace::Namespace,
};

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    let why = Why::start("delete", &lab.server.name, &[])?;

    // By user space: one, then all.
    let (client, server) = traffic::udp(&lab, 9001)?;
    traffic::request(&client, &server)?;
    lab.server.sh("conntrack -D -p udp --dport 9001")?;
    traffic::request(&client, &server)?;
    lab.server.sh("conntrack -F")?;

    // The port has no listener: the reset ends the connection of the SYN.
    let refused = lab.on_client(|| Ok(std::net::TcpStream::connect((SERVER, 9))))?;
    ensure!(refused.is_err(), "port 9 has a listener");

    // A second passes quickly, and a dump of the table finds the expired entries.
    lab.server.sysctl("net/netfilter/nf_conntrack_udp_timeout", "1")?;
    traffic::request(&client, &server)?;
    wait::until("the entry has expired", || {
        Ok(!lab.server.sh("conntrack -L -p udp")?.contains("dport=9001"))
    })?;

    let answer = why.answer()?;
    let netlink = answer.met("netlink", 1)?;
    ensure!(netlink.text("/tasks/0/comm") == "conntrack", "{netlink}");
    let flush = answer.met("flush", 1)?;
    ensure!(flush.text("/tasks/0/comm") == "conntrack", "{flush}");
    answer.met("reset", 1)?;
    answer.met("expired_in_lookup", 1)?;
    answer.agrees()?;
    by_the_kernel_itself(&lab)
}

/// Deletes without a request: each delete in the trace has its cause.
fn by_the_kernel_itself(lab: &Lab) -> Result<()> {
    let trace = Trace::with_causes("all", &[])?;
    let gone_for = |cause: &str, proto: &str| {
        trace.wait_for(&format!("an entry of {proto} is deleted: {cause}"), |line| {
            line.is_event("delete") && line.text("/why/cause") == cause && line.text("/orig/proto") == proto
        })
    };

    // A port is used again while its last connection lingers.
    let port = u16::try_from(traffic::tcp(lab, SERVER, 9003, 9003)?)?;
    wait::until("the connection is over", || {
        Ok(lab.server.conntrack(&["-p", "tcp"])?.contains("TIME_WAIT"))
    })?;
    let client = SocketAddrV4::new(CLIENT.parse()?, port);
    let server = SocketAddrV4::new(SERVER.parse()?, 9003);
    lab.on_client(|| raw::tcp(client, server, raw::SYN, 1 << 30))?;
    gone_for("reopened", "tcp")?;

    // The interface by which a flow was masqueraded is removed.
    lab.client.sh("nft -f - <<RULES
        table ip nat {
            chain post { type nat hook postrouting priority 100; oifname eth0 ip protocol udp masquerade; }
        }
RULES")?;
    let (from, to) = traffic::udp(lab, 9004)?;
    traffic::request(&from, &to)?;
    lab.client.sh("ip link set eth0 down")?;
    gone_for("masquerade_down", "udp")?;

    let gone = Namespace::new("gone")?;
    gone.create("-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 600")?;
    drop(gone);
    let exit = gone_for("namespace_exit", "udp")?;
    ensure!(exit.text("/orig/src") == "10.0.0.1", "{exit}");
    Ok(())
}
