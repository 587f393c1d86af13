//! `rsct why` by itself: whatever comes to a bad end.

use std::process::ExitCode;

use super::{
    causes::{self, CausesArgs},
    common::{CommonArgs, WatchingArgs},
    topics,
};
use crate::cli::FilterArgs;

/// Of each cause fewer flows and tasks are shown than where it is asked for by name.
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
