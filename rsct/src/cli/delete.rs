//! `rsct delete`: deletes the entries that match a filter.

use std::{ops::ControlFlow, process::ExitCode};

use anyhow::Context as _;
use clap::Args;

use super::{
    FilterArgs, UsageError,
    at_once::{self, AtOnce},
    ended,
    list::EntryFormat,
    namespaces::{Namespaces, NetnsArg},
    printer::Printer,
    reading::{self, ExplainArg},
    refusal,
    shared_args::{DryRunArg, FormatArg, QuietArg},
    sweep::{Sweep, Swept},
};
use crate::{
    filter::{Filter, Plan},
    kernel::{interrupt, netns::Netns},
    labels::LabelMap,
    netlink::{
        Socket,
        change::Operation,
        conntrack::{Change, Entry},
        dump,
    },
    plural,
    schema::Command,
    waiting,
};

/// Delete the entries that match a filter
///
/// Deletes entry by entry, and prints the entries that it deleted. With --quiet, a filter that the kernel can apply is
/// sent in one request (Linux 6.11 or newer); rsct then prints the kernel's entry count before and after.
///
/// In this command -q is --quiet, and --reply-dst has no short form. The exit code is 1 if no entry matches.
#[derive(Debug, Args)]
#[command(
    mut_arg("reply_dst", |arg| arg.short(None)),
    after_long_help = "\
Examples:
  rsct delete -p udp --dport 53
  rsct delete -s 10.0.0.0/8 --dry-run
  rsct delete -u UNREPLIED --netns all --quiet"
)]
pub struct DeleteArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    explain: ExplainArg,
    #[command(flatten)]
    sweep: SweepArgs,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Options of commands that change all entries that match.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct SweepArgs {
    #[command(flatten)]
    output: FormatArg<EntryFormat>,
    #[command(flatten)]
    quiet: QuietArg,
    #[command(flatten)]
    dry_run: DryRunArg,
}

impl SweepArgs {
    /// The printer of entries, which prints none with `--quiet`.
    pub(super) fn printer<'a>(
        &self,
        command: Command,
        labels: &'a LabelMap,
        namespaces: &Namespaces,
    ) -> Printer<'a> {
        let view = self
            .output
            .format
            .view(Some(command), labels, namespaces.column());
        Printer::new((!self.quiet()).then_some(view), namespaces.are_named())
    }

    /// `--quiet`.
    pub(super) fn quiet(&self) -> bool {
        self.quiet.quiet
    }

    /// `--dry-run`.
    pub(super) fn dry_run(&self) -> bool {
        self.dry_run.dry_run
    }
}

const DOING: &str = "deleting entries";

/// Runs `rsct delete`.
pub fn run(args: &DeleteArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    if filter.is_empty() {
        return Err(UsageError(
            "deleting entries: no filter is given; `rsct flush` deletes all entries".to_owned(),
        )
        .into());
    }
    let plan = filter.plan();
    args.explain.report(&plan);
    let namespaces = Namespaces::open(&args.netns)?;
    let labels = LabelMap::load_default();
    let mut printer = args.sweep.printer(Command::Delete, &labels, &namespaces);
    let mut sum = Swept::default();
    let mut done_at_once = false;
    let _watch = (!args.sweep.dry_run()).then(interrupt::watch);
    let visit = namespaces.visit(async |netns, socket| {
        ended::check(DOING)?;
        if args.sweep.quiet() && !args.sweep.dry_run() {
            match at_once::delete(socket, &filter, &plan).await? {
                AtOnce::Impossible => {}
                AtOnce::NoMatch => return Ok(()),
                AtOnce::Done { before, after } => {
                    done_at_once = true;
                    message!(
                        "all entries that match the filter have been deleted in one request: the table{} had {}, and has \
                         {after} now.",
                        namespaces.of(netns),
                        plural::count(before, "entry", "entries")
                    );
                    return Ok(());
                }
            }
        }
        let selection = Selection {
            filter: &filter,
            plan: &plan,
            netns,
            is_current: !namespaces.are_named(),
        };
        selection
            .delete(socket, &mut printer, args.sweep.dry_run(), &mut sum)
            .await
    });
    let visited = waiting::block_on(visit);
    let printed = printer.finish();
    if !(done_at_once && sum == Swept::default()) {
        report(&sum, args.sweep.dry_run(), &visited);
    }
    let all_went_well = visited?;
    printed?;
    namespaces.report_hidden();
    Ok(
        if all_went_well && (sum.done > 0 || done_at_once) && sum.refused == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        },
    )
}

/// Reports the numbers of deleted and remaining entries; after an error, not that there were none.
fn report(sum: &Swept, dry_run: bool, visited: &anyhow::Result<bool>) {
    if sum.is_empty() && !ended::is_why(visited) {
        if visited.is_ok() {
            message!("no flow entry matches the filter");
        }
        return;
    }
    message!("{}.", swept(sum.done, dry_run, "deleted"));
    report_rest(sum, "deleting", &Change::default());
}

/// "2 flow entries have been deleted", or "would be" in a dry run.
pub(super) fn swept(entries: u64, dry_run: bool, done: &str) -> String {
    let entries = if dry_run {
        plural::count(entries, "flow entry would be", "flow entries would be")
    } else {
        plural::count(entries, "flow entry has been", "flow entries have been")
    };
    format!("{entries} {done}")
}

/// Reports the entries that were not deleted or changed. `changes` is the request for each.
pub(super) fn report_rest(sum: &Swept, doing: &str, changes: &Change<'_>) {
    if sum.vanished > 0 {
        let had = plural::count(sum.vanished, "more entry had", "more entries had");
        message!("{had} disappeared before the request.");
    }
    if let Some((change, errno)) = &sum.first_refused {
        let why = match *errno {
            libc::EBUSY if doing == "deleting" => "a flow table forwards its packets (OFFLOAD)".to_owned(),
            libc::EPERM if changes.timeout.is_some() => "its timeout is fixed (FIXED_TIMEOUT)".to_owned(),
            libc::EPERM => "not permitted".to_owned(),
            errno => refusal::meaning(errno, changes)
                .unwrap_or_else(|| std::io::Error::from_raw_os_error(errno).to_string()),
        };
        message!(
            "{} rejected by the kernel; the first: {doing} the entry {}: {why}",
            plural::count(sum.refused, "more entry was", "more entries were"),
            refusal::entry(change)
        );
    }
}

/// The entries of a namespace that match a filter.
pub(super) struct Selection<'a> {
    pub(super) filter: &'a Filter,
    pub(super) plan: &'a Plan,
    pub(super) netns: &'a Netns,
    /// `netns` is the namespace of this process.
    pub(super) is_current: bool,
}

impl Selection<'_> {
    /// Deletes the entries, or prints them with `dry_run`. Adds the outcomes to the sum, also before an error.
    pub(super) async fn delete(
        &self,
        socket: &mut Socket,
        printer: &mut Printer<'_>,
        dry_run: bool,
        sum: &mut Swept,
    ) -> anyhow::Result<()> {
        let operation = (!dry_run).then_some((Operation::Delete, false));
        let change = |entry: &Entry<'_>| Change {
            id: entry.id,
            ..key(entry)
        };
        let swept = self.sweep(socket, printer, operation, change, sum);
        swept.await.context(DOING)
    }

    /// Sends a request for each entry. Without an operation, only prints them. Adds the outcomes to the sum, also before
    /// an error.
    pub(super) async fn sweep<'c>(
        &self,
        socket: &mut Socket,
        printer: &mut Printer<'_>,
        operation: Option<(Operation, bool)>,
        change: impl Fn(&Entry<'_>) -> Change<'c>,
        sum: &mut Swept,
    ) -> anyhow::Result<()> {
        printer.begin_netns(self.netns);
        let sweep = match operation {
            Some((operation, refetches)) => {
                Some(Sweep::begin(self.netns, self.is_current, operation, refetches)?)
            }
            None => None,
        };
        let mut sweeping = Sweeping {
            selection: self,
            sweep,
            seen: 0,
            printer,
            change,
        };
        let dumped = reading::entries(socket, dump::Table::Conntrack, self.plan, &mut sweeping).await;
        let Sweeping {
            sweep, seen, printer, ..
        } = sweeping;
        sum.done += seen;
        let swept = sweep.map_or(Ok(()), |sweep| sweep.finish(printer, self.netns, sum));
        let stopped = dumped?.stopped;
        swept?;
        if stopped {
            ended::check("reading the table")?;
        }
        Ok(())
    }
}

/// The attributes by which the kernel finds an entry.
pub(super) fn key<'a>(entry: &Entry<'_>) -> Change<'a> {
    Change {
        orig: Some(entry.orig),
        zone_orig: entry.zone_orig,
        zone: entry.zone,
        ..Change::default()
    }
}

struct Sweeping<'a, 'p, F> {
    selection: &'a Selection<'a>,
    sweep: Option<Sweep>,
    seen: u64,
    printer: &'a mut Printer<'p>,
    change: F,
}

impl<'c, F: Fn(&Entry<'_>) -> Change<'c>> dump::Sink for Sweeping<'_, '_, F> {
    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        if !self.selection.filter.meets(entry) {
            return ControlFlow::Continue(());
        }
        match &mut self.sweep {
            Some(_) if interrupt::caught().is_some() => return ControlFlow::Break(()),
            Some(sweep) => {
                let change = (self.change)(entry);
                if !sweep.entry(entry, &change, self.printer, self.selection.netns) {
                    return ControlFlow::Break(());
                }
            }
            None => {
                self.seen += 1;
                self.printer.entry(entry, self.selection.netns);
            }
        }
        ControlFlow::Continue(())
    }

    /// Deleted entries do not come twice; printed entries cannot be taken back.
    fn restart(&mut self) -> bool {
        self.sweep.is_some() || self.seen == 0
    }
}
