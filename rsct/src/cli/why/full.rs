//! `rsct why full`: causes of refused and early dropped entries, and the content of the table.

use std::{ops::ControlFlow, process::ExitCode};

use clap::Args;
use rsct_common::record::CauseFamily;

use super::{
    causes::{self, CausesArgs, Topic},
    common::print,
};
use crate::{
    causes::{Cause, delete::DeleteCause, fill::Fill},
    cli::{namespaces::Namespaces, reading, shared_args::TextOrJson},
    filter::Filter,
    netlink::{conntrack::Entry, dump, stats},
    render::fill,
    waiting,
};

/// Explain a full table: what fills it, and which entries are dropped
#[derive(Clone, Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct why full
  rsct why full --top 10 --netns all")]
pub(super) struct FullArgs {
    #[command(flatten)]
    causes: CausesArgs,
}

/// Runs `rsct why full`.
pub(super) fn run(args: &FullArgs) -> anyhow::Result<ExitCode> {
    let topic = Topic {
        name: "full",
        things: [
            "entry was refused, or replaced another",
            "entries were refused, or replaced others",
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
        match args.causes.common.watching.output.format {
            TextOrJson::Text => fill::text(&mut out, netns, table, &sink.fill, args.causes.top),
            TextOrJson::Json => fill::json(&mut out, netns, table, &sink.fill, args.causes.top),
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
