//! `rsct latency` times NAT's search: twice for each flow, for its destination and for its source.

use std::net::UdpSocket;

use anyhow::{Result, ensure};

use crate::lab::{
    CLIENT, Lab, SERVER,
    latency::{self, Measured},
    traffic,
};

const SETUP: &str = "nf_nat_setup_info";
const FLOWS: u16 = 7;

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    lab.client.sh("nft add table ip story
        nft 'add chain ip story postrouting { type nat hook postrouting priority srcnat; }'
        nft add rule ip story postrouting udp dport 9001 counter masquerade")?;
    let latency = latency::start(&lab.client.name, &[])?;
    lab.on_client(|| {
        for port in 0..FLOWS {
            let socket = UdpSocket::bind((CLIENT, 4100 + port))?;
            // The second finds its entry, and needs no translation.
            for _ in 0..2 {
                traffic::send(&socket, b"hello", (SERVER, 9001))?;
            }
        }
        Ok(())
    })?;
    let measured = Measured::of(latency)?;
    // The destination at the output hook, where no rule translates it and it is bound to itself; the source by the
    // rule.
    let bound = 2 * i64::from(FLOWS);
    ensure!(measured.count(SETUP, "bound") == bound, "{}", measured.told());
    ensure!(measured.total(SETUP) == bound, "{}", measured.told());
    ensure!(measured.total_ns(SETUP) > 0, "{}", measured.told());
    // Only a flow's first packet traverses the chain.
    let rules = lab.client.sh("nft list table ip story")?;
    ensure!(rules.contains(&format!("counter packets {FLOWS} ")), "{rules}");
    Ok(())
}
