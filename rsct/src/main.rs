//! The `rsct` command.

use clap::Parser as _;

#[derive(clap::Parser)]
struct X {
    #[command(flatten)]
    t: rsct::cli::trace::TraceArgs,
}

fn main() -> anyhow::Result<std::process::ExitCode> {
    rsct::cli::trace::run(&X::parse().t)
}
