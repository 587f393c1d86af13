//! `cargo xtask bench`: what tracing costs, counted in instructions, the same in every run.

use std::{process::ExitCode, time::Duration};

use anyhow::Result;
use clap::{Args, Subcommand};

use crate::{
    kernels,
    vm::{self, Boot},
};

/// What the figures in the README were taken on.
const KERNEL: &str = "6.12";
const TIMEOUT: Duration = Duration::from_secs(1800);

/// Measure what tracing costs.
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
    },
}

/// Runs the subcommand.
pub fn run(options: &Options) -> Result<ExitCode> {
    let What::Packet { kernel } = &options.what;
    kernels::check(kernel)?;
    vm::prepare()?;
    Boot {
        kernel,
        icount: true,
        with: &["bpftrace".to_owned()],
        timeout: Some(TIMEOUT),
        script: "rsct-tests bench-packet".to_owned(),
        ..Boot::default()
    }
    .to_stdout()
}
