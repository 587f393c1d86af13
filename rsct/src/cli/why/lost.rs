//! `rsct why lost`.

use std::process::ExitCode;

use clap::Args;
use rsct_common::record::CauseFamily;

use super::causes::{self, CausesArgs, Topic};
use crate::causes::Cause;

/// Tell which events netlink lost: of which flows, for which listener, and what the kernel does about it.
#[derive(Clone, Debug, Args)]
pub(super) struct LostArgs {
    #[command(flatten)]
    causes: CausesArgs,
}

/// Runs `rsct why lost`.
pub(super) fn run(args: &LostArgs) -> anyhow::Result<ExitCode> {
    causes::run(
        &args.causes,
        &Topic {
            name: "lost",
            things: "events did not arrive",
            families: &[CauseFamily::Lost],
            shows: |cause| matches!(cause, Cause::Lost(_)),
        },
    )
}
