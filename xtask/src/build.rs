//! `cargo xtask build`: static programs that run on this machine and in every guest.

use std::{
    path::PathBuf,
    process::{Command, ExitCode},
};

use anyhow::{Context as _, Result};

use crate::{exec, paths, progress, toolchain};

/// The programs in every guest.
pub const PROGRAMS: &[&str] = &["rsct", "rsct-tests", "rsct-rates"];
/// The packages that have them.
const PACKAGES: &[&str] = &["rsct", "rsct-tests"];

/// Builds with cargo's output visible.
pub fn run() -> Result<ExitCode> {
    toolchain::ensure()?;
    exec::inherit(&mut command()?, "build rsct")?;
    for program in PROGRAMS {
        println!("{}", built(program).display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds as part of another command, without cargo's output.
pub fn ensure() -> Result<()> {
    toolchain::ensure()?;
    let _step = progress::step("building rsct and its tests");
    exec::output(&mut command()?, "build rsct")?;
    Ok(())
}

/// Path of `program` after a build.
pub fn built(program: &str) -> PathBuf {
    paths::target()
        .join(toolchain::TARGET)
        .join("release")
        .join(program)
}

fn command() -> Result<Command> {
    let mut command = toolchain::cargo()?;
    command.args(["build", "--locked", "--release", "--target", toolchain::TARGET]);
    for package in PACKAGES {
        command.args(["--package", package]);
    }
    Ok(command)
}

/// Puts the built programs on the search path of `command`, as in a guest.
pub fn add_to_path(command: &mut Command) -> Result<&mut Command> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let built = paths::target().join(toolchain::TARGET).join("release");
    let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let dirs = std::iter::once(built)
        .chain(std::env::split_paths(&path))
        .chain(system);
    let path = std::env::join_paths(dirs).context("put the built programs on the search path")?;
    Ok(command.env("PATH", path))
}
