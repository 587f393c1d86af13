//! `cargo xtask bench`: cost of tracing, starting and stopping, counted in instructions, which are reproducible; and
//! duration of operations on a large table, compared with `conntrack`.

use std::{
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use crate::{
    build::Profile,
    exec, kernels, machine,
    vm::{self, Boot},
};

/// The kernel of the README's figures.
const KERNEL: &str = "6.12";
/// The kernels on which starts are measured: the oldest, the README's, and the newest, which has targets.
const START_KERNELS: [&str; 3] = ["6.1", KERNEL, "7.3"];
/// The commands of tests/src/bench/start/commands.rs.
const COMMANDS: [&str; 13] = [
    "trace",
    "why",
    "why-invalid",
    "why-delete",
    "why-insert",
    "why-drop",
    "why-nat",
    "why-full",
    "why-lost",
    "why-unreplied",
    "latency",
    "list",
    "doctor",
];
/// What a guest has.
#[derive(Clone, Copy)]
struct Size {
    memory_gib: u32,
    timeout: Duration,
}
const SIZE: Size = Size {
    memory_gib: 2,
    timeout: Duration::from_secs(1800),
};
/// With 1,000,000 entries, which iptstate lists again and again: each list is billions of instructions.
const LARGE_TABLE: Size = Size {
    memory_gib: 4,
    timeout: Duration::from_secs(5400),
};

/// Measure the cost of tracing, starting, stopping and working on a large table.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Measure instructions per packet with rsct and with bpftrace, relative to no tracing
    Packet {
        /// A kernel of the matrix, `host`, or the path of a vmlinuz
        #[arg(long, value_name = "NAME", default_value = KERNEL)]
        kernel: String,
        /// Only this part: packets, latency or memory
        #[arg(long, value_name = "NAME", value_parser = ["packets", "latency", "memory"])]
        only: Option<String>,
    },
    /// Measure instructions to start and stop each command, against bpftrace, and the verifier's work
    Start {
        /// A kernel of the matrix, `host`, or the path of a vmlinuz; repeat it for several
        #[arg(long, value_name = "NAME", default_values = START_KERNELS)]
        kernel: Vec<String>,
        /// Only this command, and the bpftrace script that it is compared with
        #[arg(long, value_name = "NAME", value_parser = COMMANDS)]
        only: Option<String>,
    },
    /// Measure the cost of `rsct top`: for each packet, and with 1,000,000 entries next to iptstate
    Top {
        /// A kernel of the matrix, `host`, or the path of a vmlinuz
        #[arg(long, value_name = "NAME", default_value = KERNEL)]
        kernel: String,
        /// Only this part: packets or table
        #[arg(long, value_name = "NAME", value_parser = ["packets", "table"])]
        only: Option<String>,
    },
    /// Time operations on tables of 100,000 and 1,000,000 entries against conntrack (needs root)
    Table {
        /// Numbers of entries, as 100k,1M
        #[arg(long, value_name = "N,N")]
        entries: Option<String>,
        /// Only this part: list, filter, delete, load or watch
        #[arg(long, value_name = "NAME")]
        only: Option<String>,
        /// Number of runs of each command
        #[arg(long, value_name = "N")]
        runs: Option<String>,
    },
}

/// Runs the subcommand.
pub fn run(options: &Options) -> Result<ExitCode> {
    match &options.what {
        What::Packet { kernel, only } => packet(kernel, only.as_deref()),
        What::Start { kernel, only } => start(kernel, only.as_deref()),
        What::Top { kernel, only } => top(kernel, only.as_deref()),
        What::Table { entries, only, runs } => {
            table(&[("--entries", entries), ("--only", only), ("--runs", runs)])
        }
    }
}

fn packet(kernel: &str, only: Option<&str>) -> Result<ExitCode> {
    kernels::check(kernel)?;
    vm::prepare(Profile::Release)?;
    counted(kernel, "bench-packet", only, "bpftrace", SIZE)
}

fn top(kernel: &str, only: Option<&str>) -> Result<ExitCode> {
    kernels::check(kernel)?;
    vm::prepare(Profile::Release)?;
    counted(kernel, "bench-top", only, "iptstate", LARGE_TABLE)
}

/// Measures one kernel after the other; fails if one of them failed.
fn start(kernels: &[String], only: Option<&str>) -> Result<ExitCode> {
    for kernel in kernels {
        kernels::check(kernel)?;
    }
    vm::prepare(Profile::Release)?;
    let mut ended = ExitCode::SUCCESS;
    for (number, kernel) in kernels.iter().enumerate() {
        if number > 0 {
            println!();
        }
        let code = counted(kernel, "bench-start", only, "bpftrace", SIZE)?;
        if code != ExitCode::SUCCESS {
            ended = code;
        }
    }
    Ok(ended)
}

/// Runs a bench of rsct-tests in a guest with a clock that counts instructions, next to a Debian package.
fn counted(kernel: &str, bench: &str, only: Option<&str>, package: &str, size: Size) -> Result<ExitCode> {
    Boot {
        kernel,
        profile: Profile::Release,
        icount: true,
        memory_gib: size.memory_gib,
        with: &[package.to_owned()],
        timeout: Some(size.timeout),
        script: format!("rsct-tests {bench} {}", only.unwrap_or_default()),
        ..Boot::default()
    }
    .to_stdout()
}

fn table(options: &[(&str, &Option<String>)]) -> Result<ExitCode> {
    if !exec::is_root() {
        bail!("the bench creates network namespaces and sets conntrack limits: run it as root");
    }
    machine::ensure(&[machine::FOR_NATIVE_TESTS])?;
    Profile::Release.ensure()?;
    let mut command = Command::new(Profile::Release.built("rsct-tests"));
    Profile::Release.add_to_path(&mut command)?.arg("bench-table");
    for (name, value) in options {
        if let Some(value) = value {
            command.args([name, value.as_str()]);
        }
    }
    let status = command
        .status()
        .map_err(|error| exec::start_error(&command, &error, "run the bench"))?;
    // The bench has already printed its errors.
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
    ))
}
