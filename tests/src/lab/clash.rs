//! Flows that clash before they are in the table, in a fixed order.
//!
//! Between conntrack's first look at a packet and its confirmation, the client's rules hold packets in a queue, each
//! with an entry of its own. When they are released one by one, the second finds the first one's entry in the table.

use std::net::{SocketAddrV4, UdpSocket};

use anyhow::Result;

use super::{CLIENT, Lab, queue::Queue};
use crate::native::namespace::Namespace;

/// The client's port whose packets are held.
pub const PORT: u16 = 4001;
/// Its replacement while they are held.
const DISGUISE: u16 = 4999;
const NUMBER: u16 = 7;

/// Makes the client's rules hold packets sent over `proto` from [`PORT`] and from any of `others`.
///
/// Before Linux 6.12 or so the kernel looked a packet up again when it returned from a queue (`__nf_conntrack_update`
/// in net/netfilter/nf_conntrack_core.c): it would find the first entry, and there would be no clash. A stateless rule
/// changes the port while packets are held, so that the lookup finds nothing.
pub fn hold(client: &Namespace, proto: &str, others: &[u16]) -> Result<Queue> {
    let queue = Queue::open(client, NUMBER)?;
    let others: String = others
        .iter()
        .map(|port| format!("{proto} sport {port} queue num {NUMBER};"))
        .collect();
    client.sh(&format!(
        "nft -f - <<RULES
        table ip held {{
            chain disguise {{
                type filter hook output priority mangle;
                {proto} sport {PORT} {proto} sport set {DISGUISE}
            }}
            chain hold {{
                type filter hook postrouting priority srcnat + 50;
                {proto} sport {DISGUISE} queue num {NUMBER}; {others}
            }}
            chain undisguise {{
                type filter hook postrouting priority srcnat + 60;
                {proto} sport {DISGUISE} {proto} sport set {PORT}
            }}
        }}
RULES"
    ))?;
    Ok(queue)
}

/// A UDP socket of the client's.
pub fn socket(lab: &Lab, port: u16) -> Result<UdpSocket> {
    lab.on_client(|| Ok(UdpSocket::bind((CLIENT, port))?))
}

/// The client's address with a port.
pub fn client(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new([192, 168, 34, 12].into(), port)
}
