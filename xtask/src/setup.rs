//! `cargo xtask setup`: installs and fetches everything in advance, so that the other commands need no network.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use crate::{emulator, kernels, machine, progress, toolchain, tools};

/// Install and fetch everything that the other commands need.
#[derive(Args)]
pub struct Options {
    /// Fetch newer kernels, tools and QEMU if there are any
    #[arg(long)]
    update: bool,
}

/// Runs the subcommand.
pub fn run(options: &Options) -> Result<ExitCode> {
    // All at once, so that an ordinary user sees one message.
    machine::ensure(&[
        machine::FOR_BUILDS,
        machine::FOR_GUESTS,
        machine::FOR_UNIT_TESTS,
        machine::FOR_NATIVE_TESTS,
    ])?;
    toolchain::ensure()?;
    if options.update {
        emulator::update()?;
        tools::update()?;
    } else {
        emulator::ensure()?;
        tools::layer()?;
    }
    let mut missing = 0;
    for kernel in kernels::MATRIX {
        match kernel.image(options.update) {
            Ok(image) => progress::hidden(|| println!("{:<16} {}", kernel.name, image.release)),
            Err(error) => {
                missing += 1;
                progress::note(&format!("{error:#}"));
            }
        }
    }
    if missing > 0 {
        anyhow::bail!("{missing} of {} kernels are not available", kernels::MATRIX.len());
    }
    Ok(ExitCode::SUCCESS)
}
