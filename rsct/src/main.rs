//! The `rsct` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    rsct::cli::run()
}
