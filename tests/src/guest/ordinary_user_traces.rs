//! An ordinary user with CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN traces although `kernel.perf_event_paranoid` is 3, where the kernel
//! has kprobe.multi; `rsct doctor` names the capabilities that are missing.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{
    lab::{
        Trace,
        process::keeps_only,
        user::{self, CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, NOBODY},
    },
    native::namespace::{output, rsct, succeeds},
    sentence::one_sentence,
};

const PARANOID: &str = "/proc/sys/kernel/perf_event_paranoid";
const THREE: &[u32] = &[CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN];

pub fn run() -> Result<()> {
    succeeds(Command::new("modprobe").args(["-a", "nf_conntrack", "nf_conntrack_netlink"]))?;
    succeeds(Command::new("sh").args([
        "-ec",
        "ip link set lo up
        nft 'add table ip user; add chain ip user in { type filter hook input priority 0; }; add rule ip user in ct state new accept'",
    ]))?;
    let before = fs::read_to_string(PARANOID)?;
    fs::write(PARANOID, "3").context("set kernel.perf_event_paranoid")?;
    let result = ordinary_user();
    fs::write(PARANOID, before.trim())?;
    succeeds(Command::new("nft").args(["delete", "table", "ip", "user"]))?;
    result
}

fn ordinary_user() -> Result<()> {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    // Debian's kernel has no CONFIG_FPROBE.
    if release.starts_with("6.1.") {
        return refused();
    }
    traces()?;
    doctor()
}

fn with_three(args: &[&str]) -> Command {
    let mut command = Command::new(rsct());
    command.args(args);
    user::with_capabilities(&mut command, THREE);
    command
}

fn refused() -> Result<()> {
    one_sentence(
        &mut with_three(&["trace", "--duration", "100ms"]),
        1,
        "kernel.perf_event_paranoid is 3",
    )
}

/// The figures of a packet are whole: entry and return of each function are joined.
fn traces() -> Result<()> {
    let trace = Trace::of(with_three(&["trace", "-o", "json", "-p", "udp", "--dport", "9"]))?;
    keeps_only(trace.id(), 1 << CAP_NET_ADMIN, NOBODY)?;
    let socket = std::net::UdpSocket::bind("127.0.0.1:0")?;
    socket.send_to(b"x", "127.0.0.1:9")?;
    let confirmed = trace.wait_for("the entry is confirmed", |line| line.is_event("confirm"))?;
    ensure!(confirmed.has("/duration_ns"), "{confirmed}");
    let packet = trace.wait_for("a packet is seen", |line| line.is_packet())?;
    ensure!(
        packet.has("/duration_ns") && packet.text("/timeout_source/setter") == "default",
        "{packet}"
    );
    succeeds(Command::new("conntrack").args(["-D", "-p", "udp", "--dport", "9"]))?;
    let deleted = trace.wait_for("the entry is deleted", |line| {
        line.is_event("delete") && line.has("/why")
    })?;
    ensure!(deleted.text("/why/cause") == "netlink", "{deleted}");
    let started = trace.wait_for("it is attached", |line| line.text("/type") == "started")?;
    ensure!(
        started
            .number("/hook_counts/kprobe")
            .is_some_and(|hooks| hooks > 10),
        "{started}"
    );
    let ended = trace.stop()?;
    ensure!(
        !ended.summary()?.has("/unproven") && ended.summary()?.number("/incomplete") == Some(0),
        "{}",
        ended.told()
    );
    Ok(())
}

fn doctor() -> Result<()> {
    let diagnosis = output(&mut with_three(&["doctor", "-o", "json"]))?;
    let json: Value = serde_json::from_slice(&diagnosis.stdout)?;
    ensure!(json["can_trace"] == true, "{json:#}");
    let hooks = json["hooks"].as_array().context("no hooks")?;
    let is_multi =
        |hook: &&Value| hook["function"] == "nf_conntrack_in" && hook["attached"] == "kprobe.multi";
    ensure!(hooks.iter().any(|hook| is_multi(&hook)), "{json:#}");
    let mut nothing = Command::new(rsct());
    nothing.args(["doctor", "-o", "json"]);
    user::with_capabilities(&mut nothing, &[CAP_BPF]);
    let json: Value = serde_json::from_slice(&output(&mut nothing)?.stdout)?;
    let group = &json["privileges"]["groups"][0];
    ensure!(
        group["lacks"] == serde_json::json!(["CAP_PERFMON", "CAP_NET_ADMIN"])
            && group["commands"]
                .as_array()
                .is_some_and(|all| all.contains(&"trace".into())),
        "{json:#}"
    );
    ensure!(
        json["privileges"]["setcap"]
            .as_str()
            .is_some_and(|line| line.starts_with("setcap cap_bpf,cap_perfmon,cap_net_admin+ep /")),
        "{json:#}"
    );
    Ok(())
}
