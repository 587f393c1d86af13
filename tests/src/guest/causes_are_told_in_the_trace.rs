//! The trace reports causes: the kernel's reason after an INVALID packet, the caller after a delete.

use std::net::SocketAddrV4;

use anyhow::{Result, ensure};

use crate::lab::{Lab, Trace, raw, traffic};

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    let trace = Trace::with_causes(&lab.server.name, &[])?;
    let to = SocketAddrV4::new([192, 168, 34, 11].into(), 9);

    // Twenty octets of a header without a checksum.
    let mut segment = [0; 20];
    segment[..4].copy_from_slice(&[0x0f, 0xa2, 0, 9]);
    segment[12..16].copy_from_slice(&[5 << 4, raw::SYN, 0xff, 0xff]);
    lab.on_client(|| raw::send(6, (*to.ip()).into(), &segment))?;
    let checksum = trace.wait_for("a checksum is wrong", |line| line.is_outcome("invalid"))?;
    ensure!(checksum.text("/why/cause") == "checksum", "{checksum}");
    ensure!(checksum.text("/why/message") == "bad checksum", "{checksum}");

    // It has no cause, and it cannot be anything else.
    lab.on_client(|| raw::icmp(*to.ip(), 0, 0, &[0, 1, 0, 1]))?;
    let answer = trace.wait_for("an answer has no request", |line| {
        line.is_outcome("invalid") && line.text("/orig/proto") == "icmp"
    })?;
    ensure!(answer.text("/why/cause") == "icmp_not_request", "{answer}");

    let (client, server) = traffic::udp(&lab, 9002)?;
    traffic::request(&client, &server)?;
    lab.server.sh("conntrack -D -p udp --dport 9002")?;
    let by_user_space = trace.wait_for("it is deleted by user space", |line| line.is_event("delete"))?;
    ensure!(by_user_space.text("/why/cause") == "netlink", "{by_user_space}");
    ensure!(
        by_user_space.text("/why/callers/0") == "ctnetlink_del_conntrack",
        "{by_user_space}"
    );
    traffic::request(&client, &server)?;
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
