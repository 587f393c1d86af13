//! `rsct why insert`.

use std::process::ExitCode;

use clap::Args;
use rsct_common::record::CauseFamily;

use super::causes::{self, CausesArgs, Topic};
use crate::causes::Cause;

/// Tell why entries are not inserted, or not as they were meant to be: clashes, who was first and how they ended, and what a program was refused.
#[derive(Clone, Debug, Args)]
pub(super) struct InsertArgs {
    #[command(flatten)]
    causes: CausesArgs,
}

/// Runs `rsct why insert`.
pub(super) fn run(args: &InsertArgs) -> anyhow::Result<ExitCode> {
    causes::run(
        &args.causes,
        &Topic {
            name: "insert",
            things: "entries met an obstacle",
            families: &[CauseFamily::Insert],
            shows: |cause| matches!(cause, Cause::Insert(_)),
        },
    )
}
