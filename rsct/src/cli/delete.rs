//! `rsct delete`: the entries that meet a filter go.

use std::{ops::ControlFlow, process::ExitCode};

use anyhow::Context as _;
use clap::Args;

use super::{
    FilterArgs, UsageError,
    at_once::{self, AtOnce},
    ended,
    list::Output,
    namespaces::{Namespaces, NetnsArg},
    printer::Printer,
    reading::{self, ExplainArg},
    refusal,
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

/// Delete the entries of the conntrack table that meet the filter, and show those that went. Exit code 1 where none
/// meets it.
///
/// Entries are deleted one by one, so that those that are shown, and counted, are those that went. With -q, a filter
/// that the kernel can look at whole is given to it in one request (Linux 6.11 on), and what is said is how many entries
/// the kernel counted before and after.
///
/// -q is --quiet here, and --reply-dst has no letter.
#[derive(Debug, Args)]
#[command(mut_arg("reply_dst", |arg| arg.short(None)))]
pub struct DeleteArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    explain: ExplainArg,
    #[command(flatten)]
    shown: ShownArgs,
    #[command(flatten)]
    netns: NetnsArg,
}

/// What of the entries that are deleted is shown.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct ShownArgs {
    /// How entries look.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Show no entries, only say how many there were.
    #[arg(short, long)]
    pub(super) quiet: bool,
    /// Show the entries and leave them as they are.
    #[arg(long)]
    pub(super) dry_run: bool,
}

impl ShownArgs {
    /// What shows them so.
    pub(super) fn printer<'a>(
        &self,
        command: Command,
        labels: &'a LabelMap,
        namespaces: &Namespaces,
    ) -> Printer<'a> {
        let view = self.output.view(Some(command), labels, namespaces.column());
        Printer::new((!self.quiet).then_some(view), namespaces.are_named())
    }
}

const DOING: &str = "deleting entries";

/// Runs `rsct delete`.
pub fn run(args: &DeleteArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    if filter.is_empty() {
        return Err(UsageError(
            "deleting entries: no filter says which; `rsct flush` empties the whole table".to_owned(),
        )
        .into());
    }
    let plan = filter.plan();
    args.explain.tell(&plan);
    let namespaces = Namespaces::open(&args.netns)?;
    let labels = LabelMap::load_default();
    let mut printer = args.shown.printer(Command::Delete, &labels, &namespaces);
    let mut sum = Swept::default();
    let mut done_at_once = false;
    let _watch = (!args.shown.dry_run).then(interrupt::watch);
    let visit = namespaces.visit(async |netns, socket| {
        ended::check(DOING)?;
        if args.shown.quiet && !args.shown.dry_run {
            match at_once::delete(socket, &filter, &plan).await? {
                AtOnce::Impossible => {}
                AtOnce::NoneMeant => return Ok(()),
                AtOnce::Done { before, after } => {
                    done_at_once = true;
                    message!(
                        "what meets the filter has been deleted at once: the table{} had {}, and has {after} now.",
                        namespaces.of(netns),
                        plural::count(before, "entry", "entries")
                    );
                    return Ok(());
                }
            }
        }
        let meant = Meant {
            filter: &filter,
            plan: &plan,
            netns,
            is_current: !namespaces.are_named(),
        };
        meant
            .delete(socket, &mut printer, args.shown.dry_run, &mut sum)
            .await
    });
    let visited = waiting::block_on(visit);
    let printed = printer.finish();
    if !(done_at_once && sum == Swept::default()) {
        tell(&sum, args.shown.dry_run, &visited);
    }
    let all_went_well = visited?;
    printed?;
    namespaces.tell_of_hidden();
    Ok(
        if all_went_well && (sum.done > 0 || done_at_once) && sum.refused == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        },
    )
}

/// Says how many went, and what did not. That there were none is said where nothing else went wrong.
fn tell(sum: &Swept, dry_run: bool, visited: &anyhow::Result<bool>) {
    if sum.is_empty() && !ended::is_why(visited) {
        if visited.is_ok() {
            message!("no flow entry meets the filter");
        }
        return;
    }
    message!("{}.", swept(sum.done, dry_run, "deleted"));
    tell_others(sum, "deleting", &Change::default());
}

/// How many entries were swept, or would be.
pub(super) fn swept(entries: u64, dry_run: bool, done: &str) -> String {
    let entries = if dry_run {
        plural::count(entries, "flow entry would be", "flow entries would be")
    } else {
        plural::count(entries, "flow entry has been", "flow entries have been")
    };
    format!("{entries} {done}")
}

/// Says what became of those that were not deleted or changed. `changes` is what was asked for each.
pub(super) fn tell_others(sum: &Swept, doing: &str, changes: &Change<'_>) {
    if sum.gone > 0 {
        let turn = plural::choose(&sum.gone, "its", "their");
        message!("{} more had gone before it was {turn} turn.", sum.gone);
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
            "{} refused by the kernel; the first: {doing} the entry {}: {why}",
            plural::count(sum.refused, "more was", "more were"),
            refusal::entry(change)
        );
    }
}

/// Which entries of a namespace.
pub(super) struct Meant<'a> {
    pub(super) filter: &'a Filter,
    pub(super) plan: &'a Plan,
    pub(super) netns: &'a Netns,
    /// It is the namespace of this process.
    pub(super) is_current: bool,
}

impl Meant<'_> {
    /// Deletes them, or with `dry_run` shows them. Adds what became of them to the sum, also before an error.
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

    /// Has the kernel do something with each of them. Without an operation they are shown alone. Adds what became of
    /// them to the sum, also before an error.
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
            Some((operation, looks_again)) => {
                Some(Sweep::begin(self.netns, self.is_current, operation, looks_again)?)
            }
            None => None,
        };
        let mut sweeping = Sweeping {
            meant: self,
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

/// By what the kernel finds an entry.
pub(super) fn key<'a>(entry: &Entry<'_>) -> Change<'a> {
    Change {
        orig: Some(entry.orig),
        zone_orig: entry.zone_orig,
        zone: entry.zone,
        ..Change::default()
    }
}

struct Sweeping<'a, 'p, F> {
    meant: &'a Meant<'a>,
    sweep: Option<Sweep>,
    seen: u64,
    printer: &'a mut Printer<'p>,
    change: F,
}

impl<'c, F: Fn(&Entry<'_>) -> Change<'c>> dump::Sink for Sweeping<'_, '_, F> {
    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        if !self.meant.filter.meets(entry) {
            return ControlFlow::Continue(());
        }
        match &mut self.sweep {
            Some(_) if interrupt::caught().is_some() => return ControlFlow::Break(()),
            Some(sweep) => {
                let change = (self.change)(entry);
                if !sweep.entry(entry, &change, self.printer, self.meant.netns) {
                    return ControlFlow::Break(());
                }
            }
            None => {
                self.seen += 1;
                self.printer.entry(entry, self.meant.netns);
            }
        }
        ControlFlow::Continue(())
    }

    /// What was deleted is not told of again; what was only shown can't be taken back.
    fn restart(&mut self) -> bool {
        self.sweep.is_some() || self.seen == 0
    }
}
