//! `cargo xtask bench`: what tracing costs, counted in instructions, the same in every run; and what working on a
//! large table costs, timed beside `conntrack`.

use std::{
    process::{Command, ExitCode},
    time::Duration,
};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};

use crate::{
    build, exec, kernels, machine,
    vm::{self, Boot},
};

/// What the figures in the README were taken on.
const KERNEL: &str = "6.12";
const TIMEOUT: Duration = Duration::from_secs(1800);

/// Measure what tracing costs, or working on a large table.
#[derive(Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Instructions per packet under rsct and under bpftrace, over the untraced run
    Packet {
        /// A kernel of the matrix, `host`, or the path of a vmlinuz
        #[arg(long, value_name = "NAME", default_value = KERNEL)]
        kernel: String,
        /// Only this part: packets, latency, start or memory
        #[arg(long, value_name = "NAME", value_parser = ["packets", "latency", "start", "memory"])]
        only: Option<String>,
    },
    /// Time on tables of 100,000 and 1,000,000 entries beside conntrack, on this machine, as root
    Table {
        /// How many entries the table has, as 100k,1M
        #[arg(long, value_name = "N,N")]
        entries: Option<String>,
        /// Only this part: list, filter, delete, load or watch
        #[arg(long, value_name = "NAME")]
        only: Option<String>,
        /// How often each command is run
        #[arg(long, value_name = "N")]
        runs: Option<String>,
    },
}

/// Runs the subcommand.
pub fn run(options: &Options) -> Result<ExitCode> {
    match &options.what {
        What::Packet { kernel, only } => packet(kernel, only.as_deref()),
        What::Table { entries, only, runs } => {
            table(&[("--entries", entries), ("--only", only), ("--runs", runs)])
        }
    }
}

fn packet(kernel: &str, only: Option<&str>) -> Result<ExitCode> {
    kernels::check(kernel)?;
    vm::prepare()?;
    Boot {
        kernel,
        icount: true,
        with: &["bpftrace".to_owned()],
        timeout: Some(TIMEOUT),
        script: format!("rsct-tests bench-packet {}", only.unwrap_or_default()),
        ..Boot::default()
    }
    .to_stdout()
}

fn table(options: &[(&str, &Option<String>)]) -> Result<ExitCode> {
    if !exec::is_root() {
        bail!("the bench makes network namespaces and sets the limit of conntrack tables: run it as root");
    }
    machine::ensure(&[machine::FOR_NATIVE_TESTS])?;
    build::ensure()?;
    let mut command = Command::new(build::built("rsct-tests"));
    build::beside(&mut command)?.arg("bench-table");
    for (name, value) in options {
        if let Some(value) = value {
            command.args([name, value.as_str()]);
        }
    }
    let status = command
        .status()
        .map_err(|error| exec::started(&command, &error, "run the bench"))?;
    // What was wrong with the options, or with the figures, it has said itself.
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
    ))
}
