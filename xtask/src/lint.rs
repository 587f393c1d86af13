//! `cargo xtask lint`: words, formatting and clippy, the latter for the host and for the eBPF target.

use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use clap::{Args, builder::PossibleValuesParser};

use crate::{exec, paths, progress, toolchain, words};

/// Check words and formatting and run clippy.
#[derive(Args)]
pub struct Options {
    /// Lints to run; all if none is named
    #[arg(value_name = "LINT", value_parser = PossibleValuesParser::new(LINTS.iter().map(|lint| lint.name)))]
    names: Vec<String>,
}

/// One lint.
pub struct Lint {
    /// Its name on the command line and among the tests.
    pub name: &'static str,
    check: Check,
}

enum Check {
    /// A program that complains on its output.
    Command(fn() -> Result<Command>),
    /// A function that needs no toolchain; its error is the complaint.
    Function(fn() -> Result<()>),
}

/// All lints, the quick ones first.
pub const LINTS: &[Lint] = &[
    Lint {
        name: "words",
        check: Check::Function(words::check),
    },
    Lint {
        name: "fmt",
        check: Check::Command(fmt),
    },
    Lint {
        name: "clippy",
        check: Check::Command(clippy),
    },
    Lint {
        name: "clippy-bpf",
        check: Check::Command(clippy_bpf),
    },
];

/// Runs the subcommand.
pub fn run(options: &Options) -> Result<ExitCode> {
    let chosen =
        |lint: &&Lint| options.names.is_empty() || options.names.iter().any(|name| name == lint.name);
    let mut has_toolchain = false;
    for lint in LINTS.iter().filter(chosen) {
        let _step = progress::step(lint.name);
        match lint.check {
            Check::Command(command) => {
                if !has_toolchain {
                    toolchain::ensure()?;
                    has_toolchain = true;
                }
                exec::inherit(&mut command()?, lint.name)?;
            }
            Check::Function(check) => check().context(lint.name)?,
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Lint {
    /// Runs the lint and returns its complaint, if there is one.
    pub fn complaint(&self) -> Option<String> {
        let result = match self.check {
            Check::Command(command) => {
                command().and_then(|mut command| exec::output(&mut command, self.name).map(drop))
            }
            Check::Function(check) => check(),
        };
        result.err().map(|error| format!("{error:#}"))
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
