//! Entries that leave the table before their time, each by another hand: `rsct why delete` names each, the task where it
//! was one, and the function of the kernel that called for it.

use anyhow::{Result, ensure};

use crate::lab::{Lab, Why, traffic, wait};

pub fn run() -> Result<()> {
    let lab = Lab::new()?.without_ipv6()?;
    let why = Why::ask("delete", &lab.server.name, &[])?;

    // By hand: one, then all.
    let (client, server) = traffic::udp(&lab, 9001)?;
    traffic::ask(&client, &server)?;
    lab.server.sh("conntrack -D -p udp --dport 9001")?;
    traffic::ask(&client, &server)?;
    lab.server.sh("conntrack -F")?;

    // Nobody listens: the reset ends what the SYN began.
    let refused = lab.on_client(|| Ok(std::net::TcpStream::connect((crate::lab::SERVER, 9))))?;
    ensure!(refused.is_err(), "somebody listens at port 9");

    // A second is over soon, and who reads the table comes across what is left.
    lab.server
        .sh("sysctl -qw net.netfilter.nf_conntrack_udp_timeout=1")?;
    traffic::ask(&client, &server)?;
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
    Ok(())
}
