//! `rsct why` without a topic: all causes of drops, failed inserts and deletions.

use std::process::ExitCode;

use super::{
    causes::{self, CausesArgs},
    common::{CommonArgs, WatchingArgs},
    topics,
};
use crate::cli::FilterArgs;

/// Flows and tasks printed of each cause; fewer than for a single topic.
const TOP: usize = 2;

/// Runs `rsct why` without a topic.
pub(super) fn run(watching: &WatchingArgs) -> anyhow::Result<ExitCode> {
    let args = CausesArgs {
        common: CommonArgs {
            filter: FilterArgs::default(),
            watching: watching.clone(),
        },
        top: TOP,
    };
    causes::run(&args, &topics::ALL)
}
