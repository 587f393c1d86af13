//! `rsct flush`: deletes all entries.

use std::process::ExitCode;

use clap::Args;

use super::{
    UsageError,
    delete::{self, Selection, SweepArgs, report_rest},
    ended,
    namespaces::{Namespaces, NetnsArg},
    sweep::Swept,
};
use crate::{
    filter::{Filter, Typed},
    kernel::interrupt,
    labels::LabelMap,
    netlink::{
        Socket, change,
        conntrack::{Change, DumpFilter},
        stats,
    },
    plural,
    schema::Command,
    waiting,
};

/// Delete all conntrack entries
///
/// Deletes entry by entry and prints the entries that it deleted; a flush request then deletes entries created in the
/// meantime. With --quiet, sends only the flush request, and prints the kernel's entry count before and after.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct flush --quiet
  rsct flush -f ipv6
  rsct flush --dry-run")]
pub struct FlushArgs {
    /// Address family: ipv4 or ipv6 (default: both)
    #[arg(short, long, value_name = "FAMILY")]
    family: Option<String>,
    #[command(flatten)]
    sweep: SweepArgs,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct flush`.
pub fn run(args: &FlushArgs) -> anyhow::Result<ExitCode> {
    let typed = Typed {
        family: args.family.as_deref(),
        ..Typed::default()
    };
    let filter = typed.filter().map_err(|error| UsageError(error.to_string()))?;
    let plan = filter.plan();
    let namespaces = Namespaces::open(&args.netns)?;
    let labels = LabelMap::load_default();
    let mut printer = args.sweep.printer(Command::Flush, &labels, &namespaces);
    let _watch = (!args.sweep.dry_run()).then(interrupt::watch);
    let visit = namespaces.visit(async |netns, socket| {
        ended::check("flushing the table")?;
        if !args.sweep.quiet() || args.sweep.dry_run() {
            let selection = Selection {
                filter: &filter,
                plan: &plan,
                netns,
                is_current: !namespaces.are_named(),
            };
            let mut swept = Swept::default();
            let done = selection
                .delete(socket, &mut printer, args.sweep.dry_run(), &mut swept)
                .await;
            message!(
                "{}{}.",
                delete::swept(swept.done, args.sweep.dry_run(), "deleted"),
                namespaces.of(netns)
            );
            report_rest(&swept, "deleting", &Change::default());
            done?;
        }
        if !args.sweep.dry_run() {
            flush(socket, &filter, args.sweep.quiet(), &namespaces.of(netns)).await?;
        }
        Ok(())
    });
    let visited = waiting::block_on(visit);
    let printed = printer.finish();
    let all_went_well = visited?;
    printed?;
    namespaces.report_hidden();
    Ok(if all_went_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Sends a flush request, and prints the kernel's entry count before and after. The difference is not printed as deleted
/// entries: others may be created and deleted in between.
async fn flush(socket: &mut Socket, filter: &Filter, quiet: bool, of: &str) -> anyhow::Result<()> {
    let before = stats::table(socket).await?.entries;
    let family = DumpFilter {
        family: filter.family,
        ..DumpFilter::default()
    };
    change::flush(socket, &family).await?;
    let after = stats::table(socket).await?.entries;
    let what = match filter.family {
        Some(family) => format!("of its {} entries", family.name()),
        None => "of all entries".to_owned(),
    };
    let had = plural::count(before, "entry", "entries");
    if quiet {
        message!("the table{of} has been emptied {what}: it had {had}, and has {after} now.");
    } else if before != after {
        message!(
            "a flush{of} deleted entries created in the meantime: the table had {had}, and has {after} now."
        );
    }
    Ok(())
}
