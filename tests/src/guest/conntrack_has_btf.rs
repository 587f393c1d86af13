//! The kernel loads conntrack and describes its types, which are rsct's only source of offsets.

use std::{path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

pub fn run() -> Result<()> {
    let output = Command::new("modprobe")
        .args(["-a", "nf_conntrack", "nf_conntrack_netlink"])
        .output()
        .context("start modprobe")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "modprobe: {}\n{said}", output.status);
    // In a module's own BTF, or in vmlinux's where conntrack is built in.
    for module in ["nf_conntrack", "nf_conntrack_netlink"] {
        let btf = Path::new("/sys/kernel/btf").join(module);
        let built_in = !Path::new("/sys/module").join(module).join("refcnt").exists();
        ensure!(btf.exists() || built_in, "{} is missing", btf.display());
    }
    ensure!(
        Path::new("/sys/kernel/btf/vmlinux").exists(),
        "/sys/kernel/btf/vmlinux is missing"
    );
    Ok(())
}
