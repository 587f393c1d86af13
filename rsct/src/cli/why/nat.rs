//! `rsct why nat`.

use std::process::ExitCode;

use clap::Args;
use rsct_common::record::CauseFamily;

use super::causes::{self, CausesArgs, Topic};
use crate::causes::{Cause, nat::NatCause};

/// Tell how NAT looks for addresses and ports: what a rule asks for, how many were tried, how long that took, and when there is none left.
#[derive(Clone, Debug, Args)]
pub(super) struct NatArgs {
    #[command(flatten)]
    causes: CausesArgs,
}

/// Runs `rsct why nat`.
pub(super) fn run(args: &NatArgs) -> anyhow::Result<ExitCode> {
    causes::run(
        &args.causes,
        &Topic {
            name: "nat",
            things: "flows were set up",
            families: &[CauseFamily::Nat],
            // Tries are no searches; they are held against the kernel's counter.
            shows: |cause| matches!(cause, Cause::Nat(cause) if cause != NatCause::Taken),
        },
    )
}
