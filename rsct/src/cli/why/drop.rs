//! `rsct why drop`.

use std::process::ExitCode;

use clap::Args;
use rsct_common::record::CauseFamily;

use super::causes::{self, CausesArgs, Topic};
use crate::causes::Cause;

/// Tell where packets ended whose entries never got into the table: the hook, the kernel's own reason, and what conntrack itself dropped.
#[derive(Clone, Debug, Args)]
pub(super) struct DropArgs {
    #[command(flatten)]
    causes: CausesArgs,
}

/// Runs `rsct why drop`.
pub(super) fn run(args: &DropArgs) -> anyhow::Result<ExitCode> {
    causes::run(
        &args.causes,
        &Topic {
            name: "drop",
            things: "packets had no lasting entry",
            families: &[CauseFamily::Drop],
            shows: |cause| matches!(cause, Cause::Drop(_)),
        },
    )
}
