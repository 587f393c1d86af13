//! `cargo xtask run`: the demo on a real kernel.

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use clap::Args;

use crate::{
    build::Profile,
    exec, kernels, machine,
    vm::{self, Boot},
};

/// Run the demo in a guest, or on this machine.
#[derive(Args)]
pub struct Options {
    /// A kernel of the matrix, `host`, or the path of a vmlinuz
    #[arg(long, value_name = "NAME", default_value = kernels::newest(), conflicts_with = "host")]
    kernel: String,
    /// Run on this machine, as root, in separate network namespaces
    #[arg(long)]
    host: bool,
    /// Run `rsct ARGS` during the demo's traffic instead of `rsct trace`
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
}

/// Runs the subcommand.
pub fn run(options: &Options) -> Result<ExitCode> {
    let mut words = vec!["rsct-tests".to_owned(), "demo".to_owned()];
    if !options.args.is_empty() {
        words.push("--".to_owned());
        words.extend(options.args.iter().cloned());
    }
    if options.host {
        return on_this_machine(&words[1..]);
    }
    kernels::check(&options.kernel)?;
    vm::prepare(Profile::Quick)?;
    Boot {
        kernel: &options.kernel,
        script: vm::line(&words),
        ..Boot::default()
    }
    .to_stdout()
}

fn on_this_machine(args: &[String]) -> Result<ExitCode> {
    if !exec::is_root() {
        bail!("tracing on this machine requires root: use sudo, or omit --host to run the demo in a guest");
    }
    machine::ensure(&[machine::FOR_NATIVE_TESTS])?;
    Profile::Quick.ensure()?;
    let mut command = Command::new(Profile::Quick.built("rsct-tests"));
    let status = Profile::Quick
        .add_to_path(&mut command)?
        .args(args)
        .status()
        .map_err(|error| exec::start_error(&command, &error, "run the demo"))?;
    // A signal has no exit status; 1 reports the failure.
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(1),
    ))
}
