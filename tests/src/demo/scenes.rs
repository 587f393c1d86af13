//! The scenes. The line that each waits for is also the line that the demo promises to show.

use std::{net::SocketAddrV4, thread, time::Duration};

use anyhow::Result;

use super::narrator::Narrator;
use crate::lab::{CLIENT, Lab, SERVER, raw, traffic};

/// An address of no host, which the server redirects to itself.
const PUBLIC: &str = "203.0.113.80";
/// The server's TCP port.
const TCP_PORT: u16 = 8080;
/// A UDP entry becomes a stream when it is older than this (net/netfilter/nf_conntrack_proto_udp.c).
const STREAM_AFTER: Duration = Duration::from_millis(2000);
/// Timeout of the entry that expires.
const EXPIRES_AFTER: Duration = Duration::from_millis(1000);
const MARGIN: Duration = Duration::from_millis(100);

/// Rules and routes that some scene needs.
pub fn prepare(lab: &Lab) -> Result<()> {
    lab.client.sh(&format!("ip route add {PUBLIC}/32 via {SERVER}"))?;
    lab.server.sh(&format!(
        "nft -f - <<RULES
        table ip demo {{
            chain prerouting {{
                type nat hook prerouting priority dstnat
                ip daddr {PUBLIC} tcp dport 80 dnat to {SERVER}:{TCP_PORT}
            }}
        }}
RULES"
    ))?;
    Ok(())
}

/// Plays them one after the other; with a narrator, each waits for its line.
pub fn play(lab: &Lab, narrator: Option<&Narrator>) -> Result<()> {
    let stage = Stage { lab, narrator };
    stage.udp_exchange()?;
    stage.tcp_connection()?;
    stage.ping()?;
    stage.destination_nat()?;
    stage.invalid()?;
    stage.expiry()?;
    stage.deletion()
}

struct Stage<'a> {
    lab: &'a Lab,
    narrator: Option<&'a Narrator>,
}

impl Stage<'_> {
    fn scene(&self, heading: &str) {
        if let Some(narrator) = self.narrator {
            narrator.scene(heading);
        }
    }

    fn hear(&self, words: &[&str]) -> Result<()> {
        self.narrator.map_or(Ok(()), |narrator| narrator.hear(words))
    }

    fn udp_exchange(&self) -> Result<()> {
        self.scene("A UDP exchange: request, reply, and another request two seconds later");
        let (client, server) = traffic::udp(self.lab, 8888)?;
        traffic::request(&client, &server)?;
        self.hear(&["created", "30s", "udp_timeout"])?;
        self.hear(&["confirmed"])?;
        self.lab.on_server(|| traffic::reply(&client, &server))?;
        self.hear(&["SEEN_REPLY"])?;
        thread::sleep(STREAM_AFTER + MARGIN);
        traffic::request(&client, &server)?;
        self.hear(&["ASSURED", "udp_timeout_stream"])
    }

    fn tcp_connection(&self) -> Result<()> {
        self.scene("A TCP connection, from SYN to TIME_WAIT");
        traffic::tcp(self.lab, SERVER, TCP_PORT, TCP_PORT)?;
        for state in ["SYN_SENT", "SYN_RECV", "ESTABLISHED", "FIN_WAIT", "TIME_WAIT"] {
            self.hear(&[state])?;
        }
        Ok(())
    }

    fn ping(&self) -> Result<()> {
        self.scene("A ping");
        self.lab.on_client(|| raw::ping(SERVER.parse()?, 42))?;
        self.hear(&["icmp", "created"])?;
        self.hear(&["icmp", "SEEN_REPLY"])
    }

    fn destination_nat(&self) -> Result<()> {
        self.scene("A connection to 203.0.113.80:80, which a rule turns to 192.168.34.11:8080");
        traffic::tcp(self.lab, PUBLIC, 80, TCP_PORT)?;
        self.hear(&["203.0.113.80:80", "DNAT to 192.168.34.11:8080"])?;
        self.hear(&["203.0.113.80:80", "TIME_WAIT"])
    }

    fn invalid(&self) -> Result<()> {
        self.scene("A reset that belongs to no connection");
        let from = SocketAddrV4::new(CLIENT.parse()?, 4000);
        let to = SocketAddrV4::new(SERVER.parse()?, TCP_PORT);
        self.lab
            .on_client(|| raw::tcp(from, to, raw::RST | raw::ACK, 1))?;
        self.hear(&["INVALID"])
    }

    fn expiry(&self) -> Result<()> {
        self.scene("An entry with a timeout of one second expires before the next packet");
        let set = |seconds: u32| {
            self.lab.server.sh(&format!(
                "sysctl -qw net.netfilter.nf_conntrack_udp_timeout={seconds}"
            ))
        };
        set(1)?;
        let (client, server) = traffic::udp(self.lab, 9999)?;
        traffic::request(&client, &server)?;
        self.hear(&["confirmed"])?;
        set(30)?;
        // Nothing looks for expired entries right away; the next packet does when it looks for its own.
        thread::sleep(EXPIRES_AFTER + MARGIN);
        traffic::request(&client, &server)?;
        self.hear(&["expired"])
    }

    fn deletion(&self) -> Result<()> {
        self.scene("conntrack -D -p udp --dport 9999");
        self.lab
            .server
            .sh("conntrack -D -p udp --dport 9999 >/dev/null 2>&1")?;
        self.hear(&["deleted", "by conntrack["])?;
        self.hear(&["destroyed"])
    }
}
