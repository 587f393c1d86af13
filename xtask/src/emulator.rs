//! The QEMU that runs every guest: the same on every machine, whatever that machine's own release has.
//!
//! Bookworm's 7.2 would not do. Between its threads, one per virtual processor, it loses a change of code (8.1
//! mended it by locking a page before translating it): a processor goes on at a breakpoint that the kernel's
//! text_poke has long taken away again, and the guest dies of "Oops: int3". And processors that QEMU emulates differ
//! from release to release, so that with one for everybody figures from two machines can be compared.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use crate::{
    apt::{self, Apt},
    exec, lock, paths, progress,
};

const SUITES: &[&str] = &["trixie", "trixie-security"];
const PACKAGE: &str = "qemu-system-x86";
/// Beneath the directory that the packages are unpacked into, as what follows.
const PROGRAM: &str = "usr/bin/qemu-system-x86_64";
const LOADER: &str = "usr/lib64/ld-linux-x86-64.so.2";
const LIBRARIES: &[&str] = &["usr/lib/x86_64-linux-gnu", "usr/lib"];
const FIRMWARE: &[&str] = &["usr/share/qemu", "usr/share/seabios"];
/// Never read by QEMU.
const PRUNED: &[&str] = &["usr/share/doc", "usr/share/locale", "usr/share/man"];

/// QEMU, to be given its options.
pub fn command() -> Result<Command> {
    let root = root();
    let libraries = std::env::join_paths(LIBRARIES.iter().map(|dir| root.join(dir)))
        .with_context(|| format!("tell the loader of the libraries in {}", root.display()))?;
    // With the loader of its own release: this machine's may be too old for it, and its libraries too.
    let mut command = Command::new(root.join(LOADER));
    command
        .arg("--inhibit-cache")
        .arg("--library-path")
        .arg(libraries);
    command.arg(root.join(PROGRAM));
    // What else it would look for beside itself, it would look for beside the loader.
    for dir in FIRMWARE {
        command.arg("-L").arg(root.join(dir));
    }
    // Another QEMU's modules, or a library that this machine puts before all others, are not for this one.
    command.env("QEMU_MODULE_DIR", root.join("usr/lib/x86_64-linux-gnu/qemu"));
    command.env_remove("LD_PRELOAD").env_remove("LD_LIBRARY_PATH");
    Ok(command)
}

/// Fetches QEMU if it is not there.
pub fn ensure() -> Result<()> {
    if there() {
        return Ok(());
    }
    let _lock = lock::take(lock::Kind::Guests)?;
    if there() { Ok(()) } else { fetch() }
}

/// Fetches the newest QEMU in place of the one that is there.
pub fn update() -> Result<()> {
    let _lock = lock::take(lock::Kind::Guests)?;
    Apt::open(SUITES, true)?;
    fetch()
}

fn fetch() -> Result<()> {
    let _step = progress::step("fetching QEMU");
    let root = root();
    let fresh = root.with_extension("new");
    exec::remove_dir(&fresh)?;
    apt::unpack(SUITES, &[PACKAGE], &fresh, |_| true)
        .with_context(|| format!("fetch {PACKAGE} of {}, which guests are run with", SUITES[0]))?;
    for dir in PRUNED {
        exec::remove_dir(&fresh.join(dir))?;
    }
    exec::remove_dir(&root)?;
    fs::rename(&fresh, &root).with_context(|| format!("move {}", fresh.display()))
}

fn there() -> bool {
    root().join(PROGRAM).exists()
}

fn root() -> PathBuf {
    paths::guest().join("qemu")
}
