//! `rsct count`: the number of entries.

use std::{
    io::{self, Write as _},
    ops::ControlFlow,
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args;

use super::{
    FilterArgs, is_broken_pipe,
    namespaces::{Namespaces, NetnsArg},
    reading::{self, ExplainArg},
    shared_args::{FormatArg, TextOrJson},
};
use crate::{
    filter::{Filter, Plan},
    netlink::{
        Error, Socket,
        conntrack::Entry,
        dump,
        stats::{self, Table},
    },
    render, waiting,
};

/// Count conntrack entries
///
/// Without a filter, print the kernel's own count, as `conntrack -C` does: it includes expired entries that garbage
/// collection has not deleted yet. With a filter, read the table and count the entries that match.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct count
  rsct count -p tcp --state TIME_WAIT
  rsct count --netns all -o json")]
pub struct CountArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    explain: ExplainArg,
    #[command(flatten)]
    output: FormatArg<TextOrJson>,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct count`.
pub fn run(args: &CountArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    let plan = filter.plan();
    args.explain.report(&plan);
    let namespaces = Namespaces::open(&args.netns)?;
    let mut out = Vec::new();
    let visit = namespaces.visit(async |netns, socket| {
        let table = count(socket, &filter, &plan).await?;
        match args.output.format {
            TextOrJson::Text => {
                render::namespace::column(&mut out, netns, namespaces.column());
                // Writing to a Vec can't fail.
                let _ = writeln!(out, "{}", table.entries);
            }
            TextOrJson::Json => {
                render::stats::count_json(&mut out, table, namespaces.are_named().then_some(netns))
            }
        }
        Ok(())
    });
    let all_went_well = waiting::block_on(visit)?;
    match io::stdout().write_all(&out) {
        Err(error) if !is_broken_pipe(&error) => {
            return Err(error).context("writing the count to standard output");
        }
        _ => {}
    }
    namespaces.report_hidden();
    Ok(if all_went_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn count(socket: &mut Socket, filter: &Filter, plan: &Plan) -> Result<Table, Error> {
    if filter.is_empty() {
        return stats::table(socket).await;
    }
    let mut counting = Counting {
        filter,
        entries: 0,
        before: 0,
    };
    reading::entries(socket, dump::Table::Conntrack, plan, &mut counting).await?;
    Ok(Table {
        entries: counting.entries,
        max_entries: None,
    })
}

struct Counting<'a> {
    filter: &'a Filter,
    entries: u32,
    /// Entries of earlier dumps.
    before: u32,
}

impl dump::Sink for Counting<'_> {
    fn begin(&mut self) {
        self.before = self.entries;
    }

    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        self.entries += u32::from(self.filter.meets(entry));
        ControlFlow::Continue(())
    }

    fn restart(&mut self) -> bool {
        self.entries = self.before;
        true
    }
}
