//! Settings of this kernel, also those that only the first network namespace has, which a guest can change.

use std::{path::Path, process::Command};

use anyhow::{Result, ensure};
use serde_json::Value;

use crate::{
    native::{
        namespace::{Namespace, output, rsct, succeeds},
        sysctls::agree,
    },
    sentence::one_sentence,
};

pub fn run() -> Result<()> {
    agree(&Namespace::new("sysctls")?)?;
    let say = |args: &[&str]| {
        let mut command = Command::new(rsct());
        command.arg("sysctl").args(args);
        command
    };
    let before: Value = serde_json::from_str(&succeeds(&mut say(&["max", "-o", "json"]))?)?;
    ensure!(before["writable"] == true, "{before}");
    succeeds(&mut say(&["max=4321"]))?;
    let theirs = succeeds(Command::new("sysctl").args(["-n", "net.netfilter.nf_conntrack_max"]))?;
    ensure!(theirs == "4321\n", "{theirs}");
    succeeds(&mut say(&[&format!("max={}", before["value"])]))?;

    // The kernel rounds up, and rsct reports the result.
    let buckets: Value = serde_json::from_str(&succeeds(&mut say(&["buckets", "-o", "json"]))?)?;
    let rounded = output(&mut say(&["buckets=1025"]))?;
    let said = String::from_utf8_lossy(&rounded.stderr);
    ensure!(
        rounded.status.success() && said.contains("was set to 1025, but the kernel changed it to 1536"),
        "{said}"
    );
    succeeds(&mut say(&[&format!("buckets={}", buckets["value"])]))?;

    if Path::new("/proc/sys/net/netfilter/nf_hooks_lwtunnel").exists() {
        succeeds(&mut say(&["nf_hooks_lwtunnel=1", "timestamp=0"]))?;
        one_sentence(
            &mut say(&["timestamp=1", "nf_hooks_lwtunnel=0"]),
            1,
            "it cannot be disabled again once it is enabled; nothing has been changed",
        )?;
        let timestamp =
            succeeds(Command::new("sysctl").args(["-n", "net.netfilter.nf_conntrack_timestamp"]))?;
        ensure!(
            timestamp == "0\n",
            "what was written before has not been put back: {timestamp}"
        );
    }
    Ok(())
}
