//! The pinned Rust toolchain, and a matching linker for eBPF objects.
//!
//! bpf-linker reads rustc's bitcode, so both need the same LLVM version: an older linker fails with `Invalid record`
//! only. Therefore the linker's LLVM version is recorded with it.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};

use crate::{exec, lock, machine, paths, progress};

/// The toolchain for everything except xtask itself.
pub const RUST: &str = "1.98.0";
const COMPONENTS: &str = "rust-src,clippy,rustfmt";
/// Static, so that one binary runs in every guest.
pub const TARGET: &str = "x86_64-unknown-linux-musl";
const BPF_LINKER: &str = "0.13.0";

/// Installs missing parts of the toolchain and of the linker.
pub fn ensure() -> Result<()> {
    machine::ensure(&[machine::FOR_BUILDS])?;
    ensure_rust()?;
    ensure_linker()
}

/// The pinned cargo in the workspace's root, with the linker on its search path.
pub fn cargo() -> Result<Command> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::iter::once(paths::tools().join("bin")).chain(std::env::split_paths(&path));
    let path = std::env::join_paths(dirs).context("put target/tools/bin on the search path")?;
    let mut command = Command::new("rustup");
    command
        .args(["run", RUST, "cargo"])
        .current_dir(paths::root())
        .env("PATH", path);
    // Variables that the outer cargo set for xtask must not affect builds by another cargo.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    for name in ["CARGO", "LD_LIBRARY_PATH", "RUSTC", "RUSTDOC"] {
        command.env_remove(name);
    }
    Ok(command)
}

/// Makes `command` skip the eBPF programs, for checks and tests that never load them.
pub fn without_ebpf(command: &mut Command) {
    command.env("AYA_BUILD_SKIP", "1");
}

/// Installs missing parts of the toolchain.
pub fn ensure_rust() -> Result<()> {
    if exec::find("rustup").is_none() {
        bail!("rustup is not installed: install it from the Rust project; xtask then installs Rust {RUST}");
    }
    if complete()? {
        return Ok(());
    }
    let _step = progress::step(format!("installing Rust {RUST}"));
    let mut command = Command::new("rustup");
    command.args(["toolchain", "install", RUST, "--no-self-update"]);
    command.args([
        "--profile",
        "minimal",
        "--component",
        COMPONENTS,
        "--target",
        TARGET,
    ]);
    exec::output(&mut command, &format!("install Rust {RUST}"))?;
    if !complete()? {
        bail!(
            "rustup installed Rust {RUST} without {COMPONENTS} or {TARGET}: \
             run `rustup toolchain uninstall {RUST}`, then run this again"
        );
    }
    Ok(())
}

/// Returns whether the toolchain is complete, judged by its files: running rustup would take a second.
fn complete() -> Result<bool> {
    let mut command = Command::new("rustup");
    command.args(["run", RUST, "rustc", "--print", "sysroot"]);
    let output = exec::capture(&mut command, &format!("look for Rust {RUST}"))?;
    let sysroot = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    let parts = [
        "lib/rustlib/src/rust/library/core/src/lib.rs".to_owned(),
        format!("lib/rustlib/{TARGET}/lib"),
        "bin/cargo-clippy".to_owned(),
        "bin/cargo-fmt".to_owned(),
    ];
    Ok(output.status.success() && parts.iter().all(|part| sysroot.join(part).exists()))
}

fn ensure_linker() -> Result<()> {
    let _lock = lock::take(lock::Kind::Linker)?;
    let llvm = rustc_llvm()?;
    let bin = paths::tools().join("bin/bpf-linker");
    let stamp_file = paths::tools().join("bpf-linker.stamp");
    let stamp = format!("bpf-linker {BPF_LINKER} for LLVM {llvm}\n");
    if bin.exists() && fs::read_to_string(&stamp_file).is_ok_and(|found| found == stamp) {
        // Fails with the loader's message if an LLVM library has been removed since.
        let mut version = Command::new(&bin);
        if exec::capture(version.arg("--version"), "try bpf-linker")?
            .status
            .success()
        {
            return Ok(());
        }
    }
    let prefix = format!("/usr/lib/llvm-{llvm}");
    if !PathBuf::from(&prefix).join("bin/llvm-config").exists() {
        machine::install(&[&format!("llvm-{llvm}-dev")]).with_context(|| {
            format!("Rust {RUST} has LLVM {llvm}, and bpf-linker must be built for the same")
        })?;
    }
    let _step = progress::step(format!("building bpf-linker {BPF_LINKER} for LLVM {llvm}"));
    let mut command = cargo()?;
    command.args([
        "install",
        "bpf-linker",
        "--version",
        BPF_LINKER,
        "--locked",
        "--force",
    ]);
    command.args([
        "--no-default-features",
        "--features",
        &format!("llvm-{llvm}"),
        "--root",
    ]);
    command.arg(paths::tools());
    // Outside of the workspace: its build must not use the workspace's configuration.
    command.current_dir("/").env("LLVM_PREFIX", &prefix);
    command.env("CARGO_TARGET_DIR", paths::target().join("bpf-linker"));
    exec::output(&mut command, &format!("build bpf-linker {BPF_LINKER}"))?;
    exec::remove_dir(&paths::target().join("bpf-linker"))?;
    fs::write(&stamp_file, stamp).with_context(|| format!("write {}", stamp_file.display()))
}

fn rustc_llvm() -> Result<u32> {
    let mut command = Command::new("rustup");
    command.args(["run", RUST, "rustc", "-vV"]);
    let text = exec::output(&mut command, "query rustc's LLVM version")?;
    llvm_major(&text).with_context(|| format!("rustc {RUST} does not report its LLVM version:\n{text}"))
}

fn llvm_major(verbose_version: &str) -> Option<u32> {
    let version = verbose_version
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))?;
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::llvm_major;

    #[test]
    fn rustc_reports_its_llvm() {
        let text = "rustc 1.98.0 (abc 2026-01-01)\nrelease: 1.98.0\nLLVM version: 22.1.8\n";
        assert_eq!(llvm_major(text), Some(22));
        assert_eq!(llvm_major("rustc 1.98.0\n"), None);
    }
}
