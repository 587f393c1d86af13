//! `rsct why full`.

use std::{ops::ControlFlow, process::ExitCode};

use clap::Args;
use rsct_common::record::CauseFamily;

use super::{
    causes::{self, CausesArgs, Topic},
    common::{Output, print},
};
use crate::{
    causes::{Cause, delete::DeleteCause, fill::Fill},
    cli::{namespaces::Namespaces, reading},
    filter::Filter,
    netlink::{conntrack::Entry, dump, stats},
    render::fill,
    waiting,
};

/// Tell who pays for a full table, who was thrown out of it, and who fills it.
#[derive(Clone, Debug, Args)]
pub(super) struct FullArgs {
    #[command(flatten)]
    causes: CausesArgs,
}

/// Runs `rsct why full`.
pub(super) fn run(args: &FullArgs) -> anyhow::Result<ExitCode> {
    let topic = Topic {
        name: "full",
        things: [
            "entry could not be had, or only at another's expense",
            "entries could not be had, or only at another's expense",
        ],
        families: &[CauseFamily::Full, CauseFamily::Delete],
        shows: |cause| {
            matches!(
                cause,
                Cause::Full(_) | Cause::Delete(DeleteCause::EarlyDrop | DeleteCause::Pressure)
            )
        },
    };
    causes::run(&args.causes, &topic)?;
    let filter = args.causes.common.filter.filter()?;
    let namespaces = Namespaces::open(&args.causes.common.watching.netns)?;
    let mut out = Vec::new();
    let visit = namespaces.visit(async |netns, socket| {
        let table = stats::table(socket).await?;
        let mut sink = Filling {
            filter: &filter,
            fill: Fill::default(),
        };
        reading::entries(socket, dump::Table::Conntrack, &filter.plan(), &mut sink).await?;
        match args.causes.common.watching.output {
            Output::Text => fill::text(&mut out, netns, table, &sink.fill, args.causes.top),
            Output::Json => fill::json(&mut out, netns, table, &sink.fill, args.causes.top),
        }
        Ok(())
    });
    let all_went_well = waiting::block_on(visit)?;
    print(&out)?;
    Ok(if all_went_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

struct Filling<'a> {
    filter: &'a Filter,
    fill: Fill,
}

impl dump::Sink for Filling<'_> {
    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        if self.filter.meets(entry) {
            self.fill.entry(entry);
        }
        ControlFlow::Continue(())
    }

    fn restart(&mut self) -> bool {
        self.fill = Fill::default();
        true
    }
}
