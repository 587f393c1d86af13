//! The QEMU of every guest: the same version on every machine, independent of the machine's release.
//!
//! Bookworm's QEMU 7.2 is unusable: with one thread per virtual processor it can miss a code change (8.1 fixed this by
//! locking a page before translating it), so a processor hits a breakpoint that text_poke has already removed, and the
//! guest dies of "Oops: int3". Emulated processors also differ between releases; with one release for everybody,
//! figures from different machines are comparable.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};

use crate::{
    apt::{self, Apt},
    exec, lock, paths, progress,
};

const SUITES: &[&str] = &["trixie", "trixie-security"];
const PACKAGE: &str = "qemu-system-x86";
/// Relative to the directory of the unpacked packages, like the following.
const PROGRAM: &str = "usr/bin/qemu-system-x86_64";
const LOADER: &str = "usr/lib64/ld-linux-x86-64.so.2";
const LIBRARIES: &[&str] = &["usr/lib/x86_64-linux-gnu", "usr/lib"];
const FIRMWARE: &[&str] = &["usr/share/qemu", "usr/share/seabios"];
/// Not read by QEMU.
const PRUNED: &[&str] = &["usr/share/doc", "usr/share/locale", "usr/share/man"];

/// QEMU, without options.
pub fn command() -> Result<Command> {
    let root = root();
    let libraries = std::env::join_paths(LIBRARIES.iter().map(|dir| root.join(dir)))
        .with_context(|| format!("set the loader's library path to {}", root.display()))?;
    // With the loader of its own release: this machine's loader and libraries may be too old.
    let mut command = Command::new(root.join(LOADER));
    command
        .arg("--inhibit-cache")
        .arg("--library-path")
        .arg(libraries);
    command.arg(root.join(PROGRAM));
    // QEMU looks for further files next to its program, which is the loader here.
    for dir in FIRMWARE {
        command.arg("-L").arg(root.join(dir));
    }
    // Modules of another QEMU, and this machine's preloaded libraries, do not fit.
    command.env("QEMU_MODULE_DIR", root.join("usr/lib/x86_64-linux-gnu/qemu"));
    command.env_remove("LD_PRELOAD").env_remove("LD_LIBRARY_PATH");
    Ok(command)
}

/// Fetches QEMU unless present.
pub fn ensure() -> Result<()> {
    if is_present() {
        return Ok(());
    }
    let _lock = lock::take(lock::Kind::Guests)?;
    if is_present() { Ok(()) } else { fetch() }
}

/// Replaces the present QEMU by the newest one.
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
        .with_context(|| format!("fetch {PACKAGE} of {}, which runs the guests", SUITES[0]))?;
    for dir in PRUNED {
        exec::remove_dir(&fresh.join(dir))?;
    }
    exec::remove_dir(&root)?;
    fs::rename(&fresh, &root).with_context(|| format!("move {}", fresh.display()))
}

fn is_present() -> bool {
    root().join(PROGRAM).exists()
}

fn root() -> PathBuf {
    paths::guest().join("qemu")
}
