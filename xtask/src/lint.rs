//! `cargo xtask lint`: formatting and clippy, for what runs here and for what runs in the kernel.

use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::{exec, paths, progress, toolchain};

/// One lint.
pub struct Lint {
    /// Its name among the tests.
    pub name: &'static str,
    command: fn() -> Result<Command>,
}

/// All of them, the quick one first.
pub const LINTS: &[Lint] = &[
    Lint {
        name: "fmt",
        command: fmt,
    },
    Lint {
        name: "clippy",
        command: clippy,
    },
    Lint {
        name: "clippy-bpf",
        command: clippy_bpf,
    },
];

/// Runs the subcommand.
pub fn run() -> Result<ExitCode> {
    toolchain::ensure()?;
    for lint in LINTS {
        let _step = progress::step(lint.name);
        exec::inherit(&mut (lint.command)()?, lint.name)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Lint {
    /// What the lint complains about, if it does.
    pub fn complaint(&self) -> Option<String> {
        let complain = || exec::output(&mut (self.command)()?, self.name);
        complain().err().map(|error| format!("{error:#}"))
    }
}

fn fmt() -> Result<Command> {
    let mut command = toolchain::cargo()?;
    command.args(["fmt", "--all", "--check"]);
    Ok(command)
}

fn clippy() -> Result<Command> {
    let mut command = toolchain::cargo()?;
    command.args([
        "clippy",
        "--locked",
        "--all-targets",
        "--workspace",
        "--exclude",
        "rsct-ebpf",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]);
    toolchain::without_ebpf(&mut command);
    Ok(command)
}

/// The eBPF programs are linted for the target they are built for; on the host they would not compile.
fn clippy_bpf() -> Result<Command> {
    let mut command = toolchain::cargo()?;
    command.args(["clippy", "--locked", "--quiet", "--package", "rsct-ebpf"]);
    command.args([
        "--target",
        "bpfel-unknown-none",
        "-Z",
        "build-std=core",
        "--",
        "-D",
        "warnings",
    ]);
    // As in rsct's build script: core for this target is unstable to build.
    command.env("RUSTC_BOOTSTRAP", "1");
    command.env("CARGO_TARGET_DIR", paths::target().join("lint-bpf"));
    command.env("CARGO_ENCODED_RUSTFLAGS", "--cfg=bpf_target_arch=\"x86_64\"");
    Ok(command)
}
