//! `rsct recording info`: the contents of recordings in numbers.

use std::process::ExitCode;

use clap::Args;

use super::FilesArg;
use crate::{render::recording as render, schema::Command};

/// Print what recordings contain: machine, duration, records, losses, condition
///
/// A recording without its end is one whose recorder was killed: at most its last second is missing. The exit code is 0
/// if every file is a recording, also if it is damaged.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct recording info trace.rsct
  rsct recording info trace.rsct trace.rsct.1 -o json")]
pub(super) struct InfoArgs {
    #[command(flatten)]
    files: FilesArg,
}

/// Runs `rsct recording info`.
pub(super) fn run(args: &InfoArgs) -> anyhow::Result<ExitCode> {
    args.files.print(Command::RecordingInfo, render::text, |_| false)
}
