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

/// A profile of cargo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Built in a third of the time: for tests and demonstrations.
    #[default]
    Quick,
    /// What users install: for measurements.
    Release,
}

/// Builds what users install, with cargo's output visible.
pub fn run() -> Result<ExitCode> {
    toolchain::ensure()?;
    exec::inherit(&mut Profile::Release.command()?, "build rsct")?;
    for program in PROGRAMS {
        println!("{}", Profile::Release.built(program).display());
    }
    Ok(ExitCode::SUCCESS)
}

impl Profile {
    const fn name(self) -> &'static str {
        match self {
            Self::Quick => "quick",
            Self::Release => "release",
        }
    }

    fn dir(self) -> PathBuf {
        paths::target().join(toolchain::TARGET).join(self.name())
    }

    /// Builds as part of another command, without cargo's output.
    pub fn ensure(self) -> Result<()> {
        toolchain::ensure()?;
        let _step = progress::step("building rsct and its tests");
        exec::output(&mut self.command()?, "build rsct")?;
        Ok(())
    }

    /// Path of `program` after a build.
    pub fn built(self, program: &str) -> PathBuf {
        self.dir().join(program)
    }

    fn command(self) -> Result<Command> {
        let mut command = toolchain::cargo()?;
        command.args(["build", "--locked", "--profile", self.name()]);
        command.args(["--target", toolchain::TARGET]);
        for package in PACKAGES {
            command.args(["--package", package]);
        }
        Ok(command)
    }

    /// Puts the built programs on the search path of `command`, as in a guest.
    pub fn add_to_path(self, command: &mut Command) -> Result<&mut Command> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
        let dirs = std::iter::once(self.dir())
            .chain(std::env::split_paths(&path))
            .chain(system);
        let path = std::env::join_paths(dirs).context("put the built programs on the search path")?;
        Ok(command.env("PATH", path))
    }
}
