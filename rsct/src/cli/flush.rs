//! `rsct flush`: every entry goes.

use std::process::ExitCode;

use clap::Args;

use super::{
    UsageError,
    delete::{self, Meant, ShownArgs, tell_others},
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

/// Delete every entry of the conntrack table, or of one address family, and show those that went.
///
/// Entries are deleted one by one, so that those that are shown are those that went; then the kernel is told to delete
/// what is left, entries that came meanwhile. With -q it is told so at once, and what is said is how many entries the
/// kernel counted before and after.
#[derive(Debug, Args)]
pub struct FlushArgs {
    /// Address family: ipv4 or ipv6.
    #[arg(short, long, value_name = "FAMILY")]
    family: Option<String>,
    #[command(flatten)]
    shown: ShownArgs,
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
    let mut printer = args.shown.printer(Command::Flush, &labels, &namespaces);
    let _watch = (!args.shown.dry_run).then(interrupt::watch);
    let visit = namespaces.visit(async |netns, socket| {
        ended::check("flushing the table")?;
        if !args.shown.quiet || args.shown.dry_run {
            let meant = Meant {
                filter: &filter,
                plan: &plan,
                netns,
                is_current: !namespaces.are_named(),
            };
            let mut swept = Swept::default();
            let done = meant
                .delete(socket, &mut printer, args.shown.dry_run, &mut swept)
                .await;
            message!(
                "{}{}.",
                delete::swept(swept.done, args.shown.dry_run, "deleted"),
                namespaces.of(netns)
            );
            tell_others(&swept, "deleting", &Change::default());
            done?;
        }
        if !args.shown.dry_run {
            flush(socket, &filter, args.shown.quiet, &namespaces.of(netns)).await?;
        }
        Ok(())
    });
    let visited = waiting::block_on(visit);
    let printed = printer.finish();
    let all_went_well = visited?;
    printed?;
    namespaces.tell_of_hidden();
    Ok(if all_went_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Has the kernel delete what there is, and says how many entries it counts before and after. Others may come and go
/// meanwhile, so that the difference is not said to be what went.
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
        message!("a flush{of} took what had come meanwhile: the table had {had}, and has {after} now.");
    }
    Ok(())
}
