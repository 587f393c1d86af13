//! Builds, runs and tests rsct, and fetches everything that this requires.

mod apt;
mod bench;
mod browser;
mod build;
mod clock;
mod cpio;
#[cfg(test)]
mod documented;
mod emulator;
mod exec;
mod fuzz;
mod image;
mod initramfs;
mod kernels;
mod layer;
mod lint;
mod lock;
mod machine;
mod modules;
mod paths;
mod perfetto;
mod picture;
mod pictures;
mod progress;
mod qemu;
mod report;
mod run;
mod setup;
mod suites;
mod test;
mod toolchain;
mod tools;
mod vm;
mod words;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, runs and tests rsct.
///
/// Every command fetches and installs its requirements on first use, all under target/.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", after_help = after_help())]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install and fetch everything that the other commands need
    Setup(setup::Options),
    /// Build static programs: rsct and its tests
    Build,
    /// Run the demo in a guest, or on this machine
    Run(run::Options),
    /// Run every test: lints, unit tests, fuzz targets, tests on this machine, tests in guests
    Test(test::Options),
    /// Fuzz every parser of foreign input
    Fuzz(fuzz::Options),
    /// Measure the cost of tracing, starting, stopping and working on a large table
    Bench(bench::Options),
    /// Boot a guest and run COMMAND or a shell in it; exits with COMMAND's status
    #[command(after_help = after_help())]
    Vm(vm::Options),
    /// Check words and formatting and run clippy
    Lint(lint::Options),
    /// Draw coloured terminal text as docs/img/trace.svg
    Picture(picture::Options),
    /// Draw the README's pictures from real runs: the screen of `rsct top`, the page of `rsct report`
    Pictures,
}

fn after_help() -> String {
    format!("Kernels: {}", kernels::names())
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ended = match &cli.command {
        Command::Setup(options) => setup::run(options),
        Command::Build => build::run(),
        Command::Run(options) => run::run(options),
        Command::Test(options) => test::run(options),
        Command::Fuzz(options) => fuzz::run(options),
        Command::Bench(options) => bench::run(options),
        Command::Vm(options) => vm::run(options),
        Command::Lint(options) => lint::run(options),
        Command::Picture(options) => picture::run(options),
        Command::Pictures => pictures::run(),
    };
    ended.unwrap_or_else(|error| {
        progress::note(&format!("error: {error:#}"));
        if error.is::<exec::Usage>() {
            ExitCode::from(2)
        } else {
            ExitCode::FAILURE
        }
    })
}
