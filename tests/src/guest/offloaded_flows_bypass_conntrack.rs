//! Flows in an nft flowtable: `rsct why FLOW` reports that their packets bypass conntrack. `rsct save` writes them
//! without a timeout and without a state, and `rsct load` accepts these lines.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream, UdpSocket},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{
    guest::ATTACH,
    lab::{inside::inside, wait},
    native::{
        namespace::{Namespace, output, rsct, succeeds},
        save_and_load::Scratch,
    },
};

const SERVER: &str = "10.2.0.2";

pub fn run() -> Result<()> {
    let (router, client, server) = routed()?;
    let udp = inside(&client.name, "client", || Ok(UdpSocket::bind(("10.1.0.2", 0))?))?;
    let udp_server = inside(&server.name, "server", || Ok(UdpSocket::bind((SERVER, 8888))?))?;
    let listener = inside(&server.name, "server", || Ok(TcpListener::bind((SERVER, 8080))?))?;
    let mut tcp = inside(&client.name, "client", || Ok(TcpStream::connect((SERVER, 8080))?))?;
    let (mut tcp_server, _) = listener.accept()?;
    for socket in [&udp, &udp_server] {
        socket.set_read_timeout(Some(wait::DEADLINE))?;
    }
    wait::until("both flows are in the flowtable", || {
        let mut answer = [0; 8];
        udp.send_to(b"question", (SERVER, 8888))?;
        let (_, from) = udp_server.recv_from(&mut answer)?;
        udp_server.send_to(b"answer", from)?;
        udp.recv_from(&mut answer)?;
        tcp.write_all(b"question")?;
        tcp_server.read_exact(&mut answer)?;
        tcp_server.write_all(b"answered")?;
        tcp.read_exact(&mut answer)?;
        Ok(router.conntrack(&[])?.matches("[OFFLOAD]").count() == 2)
    })?;
    why_reports_the_bypass(&router, udp.local_addr()?.port())?;
    saved_lines_are_loaded(&router)
}

/// A client and a server with a router between them, whose flowtable offloads every flow, and longer than the questions
/// about them take.
fn routed() -> Result<(Namespace, Namespace, Namespace)> {
    let (router, client, server) = (
        Namespace::new("router")?,
        Namespace::new("client")?,
        Namespace::new("server")?,
    );
    for (namespace, device, net) in [(&client, "ra", "10.1.0"), (&server, "rb", "10.2.0")] {
        router.sh(&format!(
            "ip link add {device} type veth peer name eth0 netns {}
            ip addr add {net}.1/24 dev {device}
            ip link set {device} up",
            namespace.name
        ))?;
        namespace.sh(&format!(
            "ip addr add {net}.2/24 dev eth0
            ip link set eth0 up
            ip route add default via {net}.1"
        ))?;
    }
    router.sh("
        sysctl -qw net.ipv4.ip_forward=1
        sysctl -qw net.netfilter.nf_flowtable_tcp_timeout=600 net.netfilter.nf_flowtable_udp_timeout=600
        nft -f - <<RULES
        table inet fast {
            flowtable quick { hook ingress priority 0; devices = { ra, rb }; }
            chain through { type filter hook forward priority 0; meta l4proto { tcp, udp } flow add @quick; }
        }
RULES
    ")?;
    Ok((router, client, server))
}

fn why_reports_the_bypass(router: &Namespace, port: u16) -> Result<()> {
    let flow = format!("udp src=10.1.0.2 dst={SERVER} sport={port} dport=8888");
    for format in ["json", "text"] {
        let mut why = Command::new(rsct());
        why.args(["why", "--netns", &router.name, "--duration", "0s", "-o", format]);
        if let Ok(mode) = std::env::var(ATTACH) {
            why.args(["--attach", &mode]);
        }
        let said = succeeds(why.arg(&flow))?;
        if format == "text" {
            ensure!(
                said.contains("  offloaded: it is in the table with the status OFFLOAD: a flowtable forwards its packets"),
                "{said}"
            );
            continue;
        }
        let objects: Vec<Value> = said.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let end = objects.iter().find(|object| object["type"] == "why_flow");
        let end = end.with_context(|| said.clone())?;
        ensure!(
            end["conclusion"] == "offloaded" && end["offload"] == "software",
            "{end}"
        );
    }
    Ok(())
}

fn saved_lines_are_loaded(router: &Namespace) -> Result<()> {
    let file = Scratch::new("offloaded")?;
    succeeds(&mut router.rsct(&["save", "-O", &file.path()]))?;
    let saved = std::fs::read_to_string(&file.0)?;
    ensure!(
        saved.lines().count() == 2 && !saved.contains(" -t ") && !saved.contains(" --state "),
        "the kernel shows more of offloaded flows than it did:\n{saved}"
    );
    let copy = Namespace::new("copy")?;
    copy.sysctl("net/netfilter/nf_conntrack_tcp_timeout_established", "7000")?;
    let loaded = output(&mut copy.rsct(&["load", &file.path()]))?;
    let said = String::from_utf8(loaded.stderr)?;
    ensure!(
        loaded.status.success() && said.contains("2 created") && said.contains("2 lines without a timeout"),
        "{said}"
    );
    let listed = copy.conntrack(&["-p", "tcp"])?;
    ensure!(
        listed.contains("tcp      6 69") && listed.contains(" ESTABLISHED ")
            || listed.contains("tcp      6 7000 ESTABLISHED "),
        "{listed}"
    );
    Ok(())
}
