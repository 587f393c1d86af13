//! The trace says why: behind an INVALID packet the kernel's reason, behind a delete who called for it.

use std::net::SocketAddrV4;

use anyhow::{Result, ensure};

use crate::lab::{Lab, Trace, raw, traffic};

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    let trace = Trace::with_causes(&lab.server.name, &[])?;
    let to = SocketAddrV4::new([192, 168, 34, 11].into(), 9);

    // Twenty octets of a header whose checksum is left out.
    let mut segment = [0; 20];
    segment[..4].copy_from_slice(&[0x0f, 0xa2, 0, 9]);
    segment[12..16].copy_from_slice(&[5 << 4, raw::SYN, 0xff, 0xff]);
    lab.on_client(|| raw::send(6, (*to.ip()).into(), &segment))?;
    let checksum = trace.wait_for("a checksum is wrong", |line| line.is_outcome("invalid"))?;
    ensure!(checksum.text("/why/cause") == "checksum", "{checksum}");
    ensure!(checksum.text("/why/message") == "bad checksum", "{checksum}");

    // Nothing is said of it, and there is nothing else that it can be.
    lab.on_client(|| raw::icmp(*to.ip(), 0, 0, &[0, 1, 0, 1]))?;
    let answer = trace.wait_for("an answer has no request", |line| {
        line.is_outcome("invalid") && line.text("/orig/proto") == "icmp"
    })?;
    ensure!(answer.text("/why/cause") == "icmp_not_request", "{answer}");

    let (client, server) = traffic::udp(&lab, 9002)?;
    traffic::ask(&client, &server)?;
    lab.server.sh("conntrack -D -p udp --dport 9002")?;
    let by_hand = trace.wait_for("it is deleted by hand", |line| line.is_event("delete"))?;
    ensure!(by_hand.text("/why/cause") == "netlink", "{by_hand}");
    ensure!(
        by_hand.text("/why/callers/0") == "ctnetlink_del_conntrack",
        "{by_hand}"
    );
    traffic::ask(&client, &server)?;
    lab.server.sh("conntrack -F")?;
    trace.wait_for("the table is flushed", |line| {
        line.is_event("delete") && line.text("/why/cause") == "flush"
    })?;
    let ended = trace.stop()?;
    ensure!(
        ended.summary()?.number("/causes_lost") == Some(0),
        "{}",
        ended.told()
    );
    Ok(())
}
