//! On a kernel whose conntrack is not loaded, rsct names the module to load, and prints nothing else.

use std::{path::Path, process::Command};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::{
    native::namespace::{output, rsct},
    sentence::one_sentence,
};

pub fn run() -> Result<()> {
    let _ = output(Command::new("modprobe").args(["-r", "nf_conntrack_netlink", "nf_conntrack"]))?;
    ensure!(
        !Path::new("/proc/sys/net/netfilter/nf_conntrack_max").exists(),
        "conntrack is built in or in use; this scenario is the first of a boot"
    );
    one_sentence(Command::new(rsct()).arg("trace"), 1, "modprobe nf_conntrack")?;
    let doctor = output(Command::new(rsct()).args(["doctor", "-o", "json"]))?;
    ensure!(doctor.status.code() == Some(1), "rsct doctor: {}", doctor.status);
    let diagnosis: Value = serde_json::from_slice(&doctor.stdout)?;
    ensure!(
        diagnosis["can_trace"] == false && diagnosis["conntrack"].is_null(),
        "{diagnosis:#}"
    );
    let text = output(Command::new(rsct()).arg("doctor"))?;
    let text = String::from_utf8_lossy(&text.stdout);
    ensure!(text.contains("modprobe nf_conntrack"), "{text}");
    Ok(())
}
