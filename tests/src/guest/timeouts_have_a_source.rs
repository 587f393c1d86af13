//! Each packet that sets a timeout has its source: the namespace's default, changed or not, a policy from before the
//! trace or from later, or none after the policy is deleted; a timeout set by user space has its task.

use std::net::UdpSocket;

use anyhow::{Result, ensure};

use crate::{
    lab::{Lab, Line, Trace, traffic},
    native::namespace::succeeds,
};

/// A rule by which the policy governs packets to a port.
fn rule(action: &str, port: u16, policy: &str) -> String {
    format!("iptables -t raw -{action} PREROUTING -p udp --dport {port} -j CT --timeout {policy}")
}

fn port(socket: &UdpSocket) -> Result<i64> {
    Ok(i64::from(socket.local_addr()?.port()))
}

pub fn run() -> Result<()> {
    let lab = Lab::new()?;
    let there = &lab.server;
    there.sh("nfct add timeout early inet udp unreplied 41 replied 141")?;
    there.sh(&rule("A", 9001, "early"))?;
    let (early, early_server) = traffic::udp(&lab, 9001)?;
    traffic::request(&early, &early_server)?;

    let trace = Trace::start(&there.name, &[])?;
    // An entry from before the trace.
    traffic::request(&early, &early_server)?;
    let early = port(&early)?;
    let told = trace.wait_for("the packet of a governed entry", |line| {
        line.is_packet() && line.number("/orig/sport") == Some(early)
    })?;
    is_of_policy(&told, "early", "unreplied")?;
    ensure!(told.is_about_seconds("/after/timeout_ms", 41), "{told}");

    // The namespace's own.
    let created = talk(&lab, &trace, 9000)?;
    is_default(&created, "nf_conntrack_udp_timeout", "unreplied")?;
    there.sysctl("net/netfilter/nf_conntrack_udp_timeout", "77")?;
    // Defaults are looked at again at most once a second.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let created = talk(&lab, &trace, 9000)?;
    is_default(&created, "nf_conntrack_udp_timeout", "unreplied")?;
    ensure!(created.is_about_seconds("/after/timeout_ms", 77), "{created}");

    // A policy from after the start.
    there.sh("nfct add timeout late inet udp unreplied 43 replied 143")?;
    there.sh(&rule("A", 9002, "late"))?;
    let (client, server) = traffic::udp(&lab, 9002)?;
    traffic::request(&client, &server)?;
    let from = port(&client)?;
    let ours = |line: &Line| line.number("/orig/sport") == Some(from);
    let created = trace.wait_for("a governed entry is created", |line| {
        ours(line) && line.is_outcome("created")
    })?;
    is_of_policy(&created, "late", "unreplied")?;
    ensure!(created.is_about_seconds("/after/timeout_ms", 43), "{created}");
    traffic::reply(&client, &server)?;
    let replied = trace.wait_for("it is replied to", |line| ours(line) && line.sets("SEEN_REPLY"))?;
    is_of_policy(&replied, "late", "unreplied")?;

    // By user space.
    let by_hand = ["update", "-p", "udp", "--dport", "9002", "--set-timeout", "600"];
    succeeds(&mut there.rsct(&by_hand))?;
    let by_hand = trace.wait_for("its timeout is set by user space", |line| {
        ours(line) && line.is_event("change_timeout")
    })?;
    ensure!(by_hand.is_about_seconds("/after/timeout_ms", 600), "{by_hand}");
    ensure!(by_hand.text("/comm").starts_with("rsct"), "{by_hand}");

    // A policy that is replaced.
    let replace = [
        "timeout",
        "policy",
        "replace",
        "late",
        "inet",
        "udp",
        // Both: the entry may be a stream by then.
        "unreplied=47",
        "replied=47",
    ];
    succeeds(&mut there.rsct(&replace))?;
    // Policies are read again at most once a second.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    traffic::request(&client, &server)?;
    let changed = trace.wait_for("the changed policy shows", |line| {
        ours(line) && line.is_packet() && line.is_about_seconds("/after/timeout_ms", 47)
    })?;
    ensure!(changed.text("/timeout_source/policy") == "late", "{changed}");

    nftables_has_its_own(&lab, &trace)?;

    // A deleted policy governs no more.
    there.sh(&rule("D", 9002, "late"))?;
    there.sh("nfct delete timeout late")?;
    traffic::request(&client, &server)?;
    let after = trace.wait_for("a packet of the entry without its policy", |line| {
        ours(line) && line.is_packet() && line.number("/time_ns") > changed.number("/time_ns")
    })?;
    ensure!(after.text("/timeout_source/setter") == "default", "{after}");

    let ended = trace.stop()?;
    ensure!(ended.status.success(), "{}", ended.told());
    ensure!(
        ended.summary()?.number("/lost_total") == Some(0),
        "{}",
        ended.told()
    );
    Ok(())
}

/// nftables rules set a timeout after conntrack has processed the first packet: it shows from the second on.
fn nftables_has_its_own(lab: &Lab, trace: &Trace) -> Result<()> {
    lab.server.sh("nft -f - <<RULES
        table ip given {
            ct timeout nft-one {
                protocol udp
                l3proto ip
                policy = { unreplied : 44, replied : 144 }
            }
            chain pre {
                type filter hook prerouting priority -199
                udp dport 9003 ct timeout set \"nft-one\"
            }
        }
RULES")?;
    let (client, server) = traffic::udp(lab, 9003)?;
    traffic::request(&client, &server)?;
    traffic::request(&client, &server)?;
    let from = port(&client)?;
    let given = trace.wait_for("nftables' timeout shows", |line| {
        line.number("/orig/sport") == Some(from) && line.text("/timeout_source/setter") == "nftables"
    })?;
    ensure!(given.text("/timeout_source/policy") == "nft-one", "{given}");
    ensure!(given.is_about_seconds("/after/timeout_ms", 44), "{given}");
    Ok(())
}

/// Sends one datagram; returns the line of the entry that it creates.
fn talk(lab: &Lab, trace: &Trace, to: u16) -> Result<Line> {
    let (client, server) = traffic::udp(lab, to)?;
    traffic::request(&client, &server)?;
    let from = port(&client)?;
    trace.wait_for("an entry is created", |line| {
        line.number("/orig/sport") == Some(from) && line.is_outcome("created")
    })
}

fn is_of_policy(line: &Line, policy: &str, state: &str) -> Result<()> {
    ensure!(line.text("/timeout_source/setter") == "policy", "{line}");
    ensure!(line.text("/timeout_source/policy") == policy, "{line}");
    ensure!(line.text("/timeout_source/timeout_state") == state, "{line}");
    Ok(())
}

fn is_default(line: &Line, sysctl: &str, state: &str) -> Result<()> {
    ensure!(line.text("/timeout_source/setter") == "default", "{line}");
    ensure!(
        line.text("/timeout_source/sysctl") == format!("net.netfilter.{sysctl}"),
        "{line}"
    );
    ensure!(line.text("/timeout_source/timeout_state") == state, "{line}");
    Ok(())
}
