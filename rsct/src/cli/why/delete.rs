//! `rsct why delete`.

use std::process::ExitCode;

use clap::Args;
use rsct_common::record::CauseFamily;

use super::causes::{self, CausesArgs, Topic};

/// Tell why entries leave the table: who called for each delete, from where in the kernel, and for which task.
#[derive(Clone, Debug, Args)]
pub(super) struct DeleteArgs {
    #[command(flatten)]
    causes: CausesArgs,
}

/// Runs `rsct why delete`.
pub(super) fn run(args: &DeleteArgs) -> anyhow::Result<ExitCode> {
    causes::run(
        &args.causes,
        &Topic {
            name: "delete",
            things: "entries left the table",
            families: &[CauseFamily::Delete],
            shows: |_| true,
        },
    )
}
