//! Programs required on this machine, and their installation.

use std::process::Command;

use anyhow::{Result, bail};

use crate::{exec, progress};

/// A program and its Debian package.
pub struct Program {
    /// A name on the search path, or an absolute path.
    pub name: &'static str,
    /// The package to install.
    pub package: &'static str,
}

const fn program(name: &'static str, package: &'static str) -> Program {
    Program { name, package }
}

/// Programs required to build and boot a guest.
pub const FOR_GUESTS: &[Program] = &[
    program("depmod", "kmod"),
    program("xz", "xz-utils"),
    program("zstd", "zstd"),
    program("dpkg-deb", "dpkg"),
];

/// Programs required to compile, in addition to Rust.
pub const FOR_BUILDS: &[Program] = &[program("cc", "gcc"), program("c++", "g++")];

/// Programs that unit tests compare with.
pub const FOR_UNIT_TESTS: &[Program] = &[program("busybox", "busybox")];

/// Programs that the tests on this machine use.
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

/// Installs missing programs, or fails with the command to install them.
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
        bail!("this machine has no apt: install the equivalents of Debian's {wanted} and run this again");
    }
    if !exec::is_root() {
        bail!(
            "only root may install packages: run `sudo apt-get update && sudo apt-get install \
             --no-install-recommends {wanted}`, then run this again"
        );
    }
    let _step = progress::step(format!("installing {wanted}"));
    let mut update = apt_get();
    // An unreachable third-party source must not block Debian's packages: the install reports real errors.
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
        // Waits for another installation to finish.
        .args([
            "--quiet",
            "-o",
            "DPkg::Lock::Timeout=300",
            "-o",
            "Acquire::Retries=3",
        ]);
    command
}
