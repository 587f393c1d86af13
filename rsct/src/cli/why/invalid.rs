//! `rsct why invalid`.

use std::process::ExitCode;

use clap::Args;
use rsct_common::record::CauseFamily;

use super::causes::{self, CausesArgs, Topic};

/// Tell why packets are INVALID: the kernel's own reason, and for TCP the window that was missed and by how much.
#[derive(Clone, Debug, Args)]
pub(super) struct InvalidArgs {
    #[command(flatten)]
    causes: CausesArgs,
}

/// Runs `rsct why invalid`.
pub(super) fn run(args: &InvalidArgs) -> anyhow::Result<ExitCode> {
    causes::run(
        &args.causes,
        &Topic {
            name: "invalid",
            things: "packets are INVALID",
            families: &[CauseFamily::Invalid],
            shows: |_| true,
        },
    )
}
