//! A client and a server with two routers between them: requests use one router, replies the other.

use std::net::UdpSocket;

use anyhow::Result;

use super::{inside::inside, traffic, wait};
use crate::native::namespace::Namespace;

/// The namespaces, and a UDP flow through them.
pub struct Routers {
    /// Routes requests.
    pub there: Namespace,
    /// Routes replies.
    pub back: Namespace,
    /// The client's socket, 10.9.0.1.
    pub asking: UdpSocket,
    /// The server's socket, 10.9.0.2 port 7000.
    pub answering: UdpSocket,
    _ends: [Namespace; 2],
}

impl Routers {
    /// Builds them, with one request and one reply sent.
    pub fn new(client: Namespace, there: Namespace, back: Namespace, server: Namespace) -> Result<Self> {
        for (left, right, net) in [
            ((&client, "out", "1"), (&there, "cl", "2"), "10.1.0"),
            ((&there, "sv", "1"), (&server, "in", "2"), "10.2.0"),
            ((&client, "in", "1"), (&back, "cl", "2"), "10.3.0"),
            ((&back, "sv", "1"), (&server, "out", "2"), "10.4.0"),
        ] {
            left.0.sh(&format!(
                "ip link add {} type veth peer name {} netns {}",
                left.1, right.1, right.0.name
            ))?;
            for (namespace, link, host) in [left, right] {
                namespace.sh(&format!(
                    "sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 \
                     net.ipv4.conf.{link}.rp_filter=0
                    ip link set lo up
                    ip addr add {net}.{host}/24 dev {link}
                    ip link set {link} up"
                ))?;
            }
        }
        client.sh("ip addr add 10.9.0.1/32 dev lo; ip route add 10.9.0.2 via 10.1.0.2 src 10.9.0.1")?;
        server.sh("ip addr add 10.9.0.2/32 dev lo; ip route add 10.9.0.1 via 10.4.0.1 src 10.9.0.2")?;
        for (router, to_client, to_server) in
            [(&there, "10.1.0.1", "10.2.0.2"), (&back, "10.3.0.1", "10.4.0.2")]
        {
            router.sh(&format!(
                "ip route add 10.9.0.1 via {to_client}; ip route add 10.9.0.2 via {to_server}
                nft -f - <<RULES
                table inet lab {{
                    chain forward {{ type filter hook forward priority 0; ct state established accept; }}
                }}
RULES"
            ))?;
        }
        let asking = inside(&client.name, "client", || Ok(UdpSocket::bind("10.9.0.1:0")?))?;
        let answering = inside(&server.name, "server", || Ok(UdpSocket::bind("10.9.0.2:7000")?))?;
        for socket in [&asking, &answering] {
            socket.set_read_timeout(Some(wait::DEADLINE))?;
        }
        // The neighbours' addresses are resolved now, and not again.
        traffic::request(&asking, &answering)?;
        traffic::reply(&asking, &answering)?;
        for namespace in [&client, &there, &back, &server] {
            namespace.sh("ip -4 neigh | while read addr _ dev _ mac _; do
                ip neigh replace $addr dev $dev lladdr $mac nud permanent
            done")?;
        }
        Ok(Self {
            there,
            back,
            asking,
            answering,
            _ends: [client, server],
        })
    }
}
