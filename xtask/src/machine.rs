//! Programs that this machine itself must have, and how it gets them.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{exec, progress};

/// A program and the Debian package that brings it.
pub struct Program {
    /// What is looked for: a name on the search path, or an absolute path.
    pub name: &'static str,
    /// What to install.
    pub package: &'static str,
}

const fn program(name: &'static str, package: &'static str) -> Program {
    Program { name, package }
}

/// What making and booting a guest takes.
pub const FOR_GUESTS: &[Program] = &[
    program("depmod", "kmod"),
    program("xz", "xz-utils"),
    program("zstd", "zstd"),
    program("dpkg-deb", "dpkg"),
];

/// What compiling takes beside Rust.
pub const FOR_BUILDS: &[Program] = &[program("cc", "gcc"), program("c++", "g++")];

/// What unit tests compare with.
pub const FOR_UNIT_TESTS: &[Program] = &[program("busybox", "busybox")];

/// What the tests on this machine itself talk to.
pub const FOR_NATIVE_TESTS: &[Program] = &[
    program("conntrack", "conntrack"),
    program("nfct", "nfct"),
    program("nft", "nftables"),
    program("iptables", "iptables"),
    program("ip", "iproute2"),
    program("sysctl", "procps"),
    program("ncat", "ncat"),
    program("groff", "groff-base"),
];

/// Installs what is missing, or says in one sentence what somebody else has to install.
pub fn ensure(needs: &[&[Program]]) -> Result<()> {
    let mut packages: Vec<&str> = needs
        .iter()
        .copied()
        .flatten()
        .filter(|program| exec::find(program.name).is_none())
        .map(|program| program.package)
        .collect();
    packages.dedup();
    install(&packages)
}

/// Installs Debian packages by name.
pub fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let wanted = packages.join(" ");
    if exec::find("apt-get").is_none() {
        bail!("this machine has no apt: install what Debian calls {wanted} and run this again");
    }
    if !exec::is_root() {
        bail!(
            "only root may install packages: run `sudo apt-get update && sudo apt-get install \
             --no-install-recommends {wanted}` and then this again"
        );
    }
    let _step = progress::step(format!("installing {wanted}"));
    let mut update = apt_get();
    // One unreachable foreign source must not keep Debian's own packages away: the install tells.
    exec::capture(update.arg("update"), "refresh apt's lists")?;
    let mut install = apt_get();
    install
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages);
    exec::output(&mut install, &format!("install {wanted}"))?;
    Ok(())
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        // Another installation at the same time is waited for.
        .args([
            "--quiet",
            "-o",
            "DPkg::Lock::Timeout=300",
            "-o",
            "Acquire::Retries=3",
        ]);
    command
}
