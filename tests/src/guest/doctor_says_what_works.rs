//! `rsct doctor` on a machine that lacks nothing.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::native::namespace::{rsct, succeeds};

pub fn run() -> Result<()> {
    succeeds(Command::new("modprobe").args(["-a", "nf_conntrack", "nf_conntrack_netlink"]))?;
    let text = succeeds(Command::new(rsct()).arg("doctor"))?;
    let json: Value = serde_json::from_str(&succeeds(Command::new(rsct()).args(["doctor", "-o", "json"]))?)?;
    ensure!(json["can_trace"] == true, "{json:#}");
    for (command, functions) in [
        (
            "trace",
            &[
                "nf_conntrack_in",
                "__nf_conntrack_confirm",
                "nf_ct_delete",
                "nf_ct_destroy",
                "__nf_conntrack_alloc",
                "nf_conntrack_udp_packet",
            ][..],
        ),
        ("list", &["ctnetlink_fill_info"]),
        (
            "why",
            &[
                "nf_ct_delete",
                "nf_ct_l4proto_log_invalid",
                "early_drop",
                "kfree_skb",
            ],
        ),
        (
            "latency",
            &["nf_conntrack_in", "gc_worker", "native_queued_spin_lock_slowpath"],
        ),
    ] {
        let section = text
            .split(&format!("hooks of rsct {command}\n"))
            .nth(1)
            .and_then(|rest| rest.split("\nhooks of ").next())
            .with_context(|| format!("no hooks of rsct {command}:\n{text}"))?;
        for function in functions {
            ensure!(section.contains(function), "{function} is not named:\n{text}");
            let hook = json["hooks"].as_array().and_then(|hooks| {
                hooks
                    .iter()
                    .find(|hook| hook["command"] == command && hook["function"] == *function)
            });
            let attached = hook.and_then(|hook| hook["attached"].as_str());
            ensure!(
                attached.is_some_and(|form| ["fentry", "kprobe", "tracepoint"].contains(&form)),
                "{command}, {function}: {hook:?}"
            );
        }
    }
    // A hook whose module is missing is reported, and the others are tried all the same.
    ensure!(
        json["hooks"]
            .as_array()
            .is_some_and(|hooks| hooks.iter().all(|hook| hook["attached"].is_string())),
        "not tried: {json:#}"
    );
    Ok(())
}
