//! `rsct recording verify`: whether each byte of recordings is intact.

use std::process::ExitCode;

use clap::Args;

use super::FilesArg;
use crate::{recording::Status, render::recording as render, schema::Command};

/// Check every frame of recordings
///
/// Print the condition of each file, and for a damaged one the position and the damage. The exit code is 1 if a file is
/// damaged or no recording. A recording without its end, whose recorder was killed, is not damaged.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct recording verify trace.rsct
  rsct recording verify trace.rsct trace.rsct.1 -o json")]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    files: FilesArg,
}

/// Runs `rsct recording verify`.
pub(super) fn run(args: &VerifyArgs) -> anyhow::Result<ExitCode> {
    args.files
        .print(Command::RecordingVerify, render::condition_line, |contents| {
            matches!(contents.status, Status::Damaged { .. })
        })
}
