//! More packets than the ring can hold: the packets that rsct reports and those that it counts as lost add up to the
//! number that nftables counts before conntrack.

use std::net::UdpSocket;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{
    guest::ATTACH,
    lab::{CLIENT, Lab, SERVER, Trace},
    native::namespace::Namespace,
};

/// New flows of one packet each, in a ring of 4 KiB.
const FLOWS: u16 = 2000;
/// Ahead of conntrack, which has priority -200.
const COUNTERS: &str = "nft -f - <<'END'
table ip ahead {
    counter seen {}
    chain prerouting { type filter hook prerouting priority -300; counter name seen; }
    chain output { type filter hook output priority -300; counter name seen; }
}
END";

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?.with_lasting_udp()?;
    let server = &lab.server;
    let listener = lab.on_server(|| Ok(UdpSocket::bind((SERVER, 4001))?))?;
    let trace = Trace::start(&server.name, &["--ring-size", "4"])?;
    server.sh(COUNTERS)?;
    let before = trace.count(|line| line.text("/type") == "packet");
    ensure!(before == 0, "{before} packets have come before the load");
    lab.on_client(|| {
        for port in 10_000..10_000 + FLOWS {
            UdpSocket::bind((CLIENT, port))?.send_to(b"one of many", listener.local_addr()?)?;
        }
        Ok(())
    })?;
    let counted = counted(server)?;
    let ended = trace.stop()?;
    let summary = ended.summary()?;
    let number = |path: &str| summary.number(path).unwrap_or_default();
    let reported = number("/packets");
    let lost: i64 = summary.0["losses"]
        .as_array()
        .context("the lost records")?
        .iter()
        .filter(|lost| lost["loss"] == "packet_record")
        .filter_map(|lost| lost["count"].as_i64())
        .sum();
    ensure!(counted >= i64::from(FLOWS), "nftables counts {counted} packets");
    ensure!(reported > 0 && lost > 0, "no overload\n{summary}");
    // A skipped program is counted, and its packet may be missing or be reported all the same.
    let most_lost = lost + number("/skipped");
    // A kretprobe does not report a packet whose task changed its CPU within nf_conntrack_in.
    let uncounted = match std::env::var(ATTACH).as_deref() {
        Ok("kprobe") => counted / 1000,
        _ => 0,
    };
    ensure!(
        (counted - most_lost - uncounted..=counted - lost).contains(&reported),
        "nftables counts {counted} packets, rsct reports {reported} and counts {lost} as lost, {} skipped\n{summary}",
        number("/skipped")
    );
    Ok(())
}

/// Number of packets that nftables counted.
fn counted(namespace: &Namespace) -> Result<i64> {
    let listed: Value = serde_json::from_str(&namespace.sh("nft -j list counters table ip ahead")?)?;
    let counters = listed["nftables"].as_array().context("nft's list")?;
    let packets = counters
        .iter()
        .find_map(|object| object["counter"]["packets"].as_i64());
    packets.context("no counter in nft's list")
}
