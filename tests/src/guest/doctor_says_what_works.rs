//! `rsct doctor` on a machine where everything is there.

use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::native::namespace::{rsct, succeeds};

pub fn run() -> Result<()> {
    succeeds(Command::new("modprobe").args(["-a", "nf_conntrack", "nf_conntrack_netlink"]))?;
    let text = succeeds(Command::new(rsct()).arg("doctor"))?;
    let json: Value = serde_json::from_str(&succeeds(Command::new(rsct()).args(["doctor", "-o", "json"]))?)?;
    ensure!(json["can_trace"] == true, "{json:#}");
    for function in [
        "nf_conntrack_in",
        "__nf_conntrack_confirm",
        "nf_ct_delete",
        "nf_ct_destroy",
        "__nf_conntrack_alloc",
        "nf_conntrack_udp_packet",
    ] {
        ensure!(text.contains(function), "{function} is not named:\n{text}");
        let hook = json["hooks"]
            .as_array()
            .and_then(|hooks| hooks.iter().find(|hook| hook["function"] == function));
        let attached = hook.and_then(|hook| hook["attached"].as_str());
        ensure!(
            attached.is_some_and(|form| ["fentry", "kprobe"].contains(&form)),
            "{function}: {hook:?}"
        );
    }
    Ok(())
}
