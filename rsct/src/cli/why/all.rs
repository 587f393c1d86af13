//! `rsct why` by itself: whatever comes to a bad end.

use std::process::ExitCode;

use rsct_common::record::CauseFamily;

use super::{
    causes::{self, CausesArgs, Topic},
    common::{CommonArgs, WatchingArgs},
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
    causes::run(
        &args,
        &Topic {
            name: "all",
            things: "times something came to its end",
            families: &CauseFamily::ALL,
            shows: |_| true,
        },
    )
}
