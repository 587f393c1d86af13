//! `rsct why full`: causes of refused and early dropped entries, and the content of the table.

use std::{collections::BTreeMap, ops::ControlFlow, process::ExitCode};

use clap::Args;

use super::causes::{self, CausesArgs};
use crate::{
    causes::fill::Fill,
    cli::{each_host::Output, namespaces::Namespaces, reading, shared_args::TextOrJson},
    filter::Filter,
    kernel::netns::NetnsName,
    netlink::{
        conntrack::Entry,
        dump,
        stats::{self, Table},
    },
    render::fill,
    source::recorded::table,
    waiting,
    why::{TopicInputs, topics},
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
    let reported = causes::report(&args.causes, &topics::FULL, |out, recorded| {
        recorded_tables(out, &args.causes, recorded);
    })?;
    if args.causes.common.watching.input.is_given() {
        return Ok(reported);
    }
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
        write(&mut out, &args.causes, netns, table, &sink.fill);
        Ok(())
    });
    let all_went_well = waiting::block_on(visit)?;
    Output::stdout().print(&out)?;
    Ok(if all_went_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn write(out: &mut Vec<u8>, args: &CausesArgs, netns: &NetnsName, table: Table, fill: &Fill) {
    match args.common.watching.output.format {
        TextOrJson::Text => fill::text(out, netns, table, fill, args.top),
        TextOrJson::Json => fill::json(out, netns, table, fill, args.top),
    }
}

/// Appends the tables at the end of a recording.
fn recorded_tables(out: &mut Vec<u8>, args: &CausesArgs, recorded: &TopicInputs) {
    let Some(model) = recorded.model() else { return };
    let chosen = recorded.chosen();
    let namespaces = recorded.namespaces();
    let mut tables: BTreeMap<u32, (u32, Fill)> =
        namespaces.map(|netns| (netns, Default::default())).collect();
    for flow in table::entries(model) {
        if !chosen.has_netns(flow.netns) {
            continue;
        }
        let (entries, fill) = tables.entry(flow.netns).or_default();
        *entries += 1;
        if chosen.has_flow(flow) {
            fill.flow(flow);
        }
    }
    for (inode, (entries, fill)) in tables {
        let max_entries = recorded.max_entries(inode);
        let netns = NetnsName {
            name: recorded.names().netns(inode),
            inode: inode.into(),
        };
        if max_entries.is_none() {
            message!(
                "the recording does not have net.netfilter.nf_conntrack_max of network namespace {}",
                netns.name
            );
        }
        let table = Table { entries, max_entries };
        write(out, args, &netns, table, &fill);
    }
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
