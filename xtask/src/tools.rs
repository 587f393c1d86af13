//! Debian's tools for guests: rsct is compared with the tools that users run.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt::{self, Apt},
    cpio::Cpio,
    exec, layer, lock, paths, progress,
};

/// One release for every guest, so that a tool's output does not depend on the machine.
const SUITES: &[&str] = &["bookworm", "bookworm-security"];
const PACKAGES: &[&str] = &[
    "bash",
    "busybox-static",
    "conntrack",
    "dash",
    "iproute2",
    "iptables",
    "kmod",
    // The locale C.UTF-8, which tmux needs.
    "libc-bin",
    "ncat",
    // The descriptions of terminals.
    "ncurses-base",
    "netbase",
    "nfct",
    "nftables",
    "procps",
    "tmux",
];
/// Dependencies used only to install or configure packages.
const NOT_IN_GUESTS: &[&str] = &[
    "conntrackd",
    "debconf",
    "dpkg",
    "init-system-helpers",
    "libperl5.36",
    "perl",
    "perl-base",
    "perl-modules-5.36",
    "tar",
    "usrmerge",
];
/// Not read by programs in a guest.
const PRUNED: &[&str] = &[
    "etc/init.d",
    "usr/share/bash-completion",
    "usr/share/bug",
    "usr/share/doc",
    "usr/share/info",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/man",
    "usr/share/perl5",
    "usr/share/zoneinfo",
    "usr/lib/x86_64-linux-gnu/gconv",
    "var/lib",
];
/// The links that Debian's alternatives create: the nft variant, as on a fresh system.
const ALTERNATIVES: &[(&str, &str)] = &[
    ("usr/sbin/iptables", "iptables-nft"),
    ("usr/sbin/iptables-save", "iptables-nft-save"),
    ("usr/sbin/iptables-restore", "iptables-nft-restore"),
    ("usr/sbin/ip6tables", "ip6tables-nft"),
    ("usr/sbin/ip6tables-save", "ip6tables-nft-save"),
    ("usr/sbin/ip6tables-restore", "ip6tables-nft-restore"),
    ("usr/bin/nc", "ncat"),
    // busybox's shell would prefer its own `ip` or `modprobe` to the search path.
    ("usr/bin/sh", "dash"),
];

/// The archive with the tools of every guest.
pub fn layer() -> Result<PathBuf> {
    let root = unpacked("base", PACKAGES, &BTreeSet::new())?;
    let file = root.with_extension("cpio");
    layer::cached(&file, &[&root], || {
        let _step = progress::step("packing the guest's tools");
        let mut cpio = Cpio::default();
        cpio.tree("", &root, &|path| !PRUNED.contains(&path))?;
        for (path, to) in ALTERNATIVES {
            cpio.symlink(path, to);
        }
        // busybox provides everything that the real tools do not.
        let busybox = root.join("bin/busybox");
        let applets = exec::output(
            Command::new(&busybox).arg("--list-full"),
            "list busybox's applets",
        )?;
        for path in applets.lines() {
            let name = path.rsplit('/').next().unwrap_or(path);
            let real = ["usr/bin", "usr/sbin"]
                .iter()
                .any(|dir| root.join(dir).join(name).exists());
            let alternative = ALTERNATIVES
                .iter()
                .any(|(path, _)| path.ends_with(&format!("/{name}")));
            if !real && !alternative {
                // Debian's /bin and /sbin are links into /usr.
                cpio.symlink(
                    &format!("usr/{}", path.trim_start_matches("usr/")),
                    "/bin/busybox",
                );
            }
        }
        Ok(cpio.finish())
    })
}

/// The archive with an additional Debian package and its dependencies.
pub fn extra_layer(package: &str) -> Result<PathBuf> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+-.".contains(c);
    if package.is_empty() || package.starts_with('-') || !package.chars().all(plain) {
        bail!("{package:?} is not a Debian package name");
    }
    unpacked("base", PACKAGES, &BTreeSet::new())?;
    let have = packages_in("base")?;
    let root = unpacked(package, &[package], &have)?;
    let file = root.with_extension("cpio");
    layer::cached(&file, &[&root], || {
        let _step = progress::step(format!("packing {package} for the guest"));
        let mut cpio = Cpio::default();
        // The base layer's links in these places would conflict with directories.
        let links = ["bin", "sbin", "lib", "lib64"];
        cpio.tree("", &root, &|path| {
            !PRUNED.contains(&path) && !links.contains(&path)
        })?;
        Ok(cpio.finish())
    })
}

/// Fetches all previously fetched packages again.
pub fn update() -> Result<()> {
    Apt::open(SUITES, true)?;
    exec::remove_dir(&paths::guest().join("tools"))?;
    layer()?;
    Ok(())
}

fn unpacked(name: &str, packages: &[&str], have: &BTreeSet<String>) -> Result<PathBuf> {
    let root = paths::guest().join("tools").join(format!("{name}.root"));
    // An older xtask may have fetched a shorter list.
    let requested = root.with_extension("requested");
    let is_there = || {
        let list = fs::read_to_string(&requested);
        root.exists() && list.is_ok_and(|list| list == packages.join("\n"))
    };
    if is_there() {
        return Ok(root);
    }
    let _lock = lock::take(lock::Kind::Guests)?;
    if is_there() {
        return Ok(root);
    }
    let _step = progress::step(format!("fetching {} for guests", packages.join(", ")));
    let fresh = root.with_extension("new");
    exec::remove_dir(&fresh)?;
    let taken = std::cell::RefCell::new(BTreeSet::new());
    let wanted = |package: &str| {
        let wanted =
            !NOT_IN_GUESTS.contains(&package) && !package.ends_with("-perl") && !have.contains(package);
        if wanted {
            taken.borrow_mut().insert(package.to_owned());
        }
        wanted
    };
    apt::unpack(SUITES, packages, &fresh, wanted)
        .with_context(|| format!("fetch {} for guests", packages.join(", ")))?;
    let list: Vec<String> = taken.into_inner().into_iter().collect();
    let file = root.with_extension("packages");
    fs::write(&file, list.join("\n")).with_context(|| format!("write {}", file.display()))?;
    exec::remove_dir(&root)?;
    fs::rename(&fresh, &root).with_context(|| format!("move {}", fresh.display()))?;
    fs::write(&requested, packages.join("\n")).with_context(|| format!("write {}", requested.display()))?;
    Ok(root)
}

fn packages_in(name: &str) -> Result<BTreeSet<String>> {
    let file = paths::guest().join("tools").join(format!("{name}.packages"));
    let list = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
    Ok(list.lines().map(str::to_owned).collect())
}
