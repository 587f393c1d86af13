//! `rsct update`: changes the entries that match a filter.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::{
    FilterArgs, UsageError,
    delete::{Selection, SweepArgs, key, report_rest, swept},
    ended,
    namespaces::{Namespaces, NetnsArg},
    reading::ExplainArg,
    shared_args::EndOfHeading,
    sweep::Swept,
};
use crate::{
    entry_spec::{Opt, Spec, SpecError},
    kernel::interrupt,
    labels::LabelMap,
    netlink::{
        change::Operation,
        conntrack::{Change, Entry},
    },
    schema::Command,
    waiting,
};

/// Change the entries that match a filter
///
/// Prints the changed entries as the kernel stored them. Options that begin with --set- or --label- are the changes; all
/// others are the filter. In this command -q is --quiet, and --reply-dst has no short form. The exit code is 1 if no
/// entry matches.
#[derive(Debug, Args)]
#[command(
    mut_arg("reply_dst", |arg| arg.short(None)),
    after_long_help = "\
Examples:
  rsct update -p tcp --dport 443 --set-timeout 600
  rsct update -s 10.0.0.0/8 --set-mark 0x1/0xff --dry-run
  rsct update -p udp --label-add office --quiet"
)]
pub struct UpdateArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    explain: ExplainArg,
    #[command(flatten)]
    setters: Setters,
    #[command(flatten)]
    sweep: SweepArgs,
    #[command(flatten)]
    netns: NetnsArg,
}

/// The changes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Changes")]
struct Setters {
    /// Seconds until the entry expires
    #[arg(long, value_name = "SECONDS")]
    set_timeout: Option<String>,
    /// Status bits to set: SEEN_REPLY, ASSURED, FIXED_TIMEOUT
    ///
    /// Bits are separated by commas. The kernel never clears a bit.
    #[arg(long, value_name = "BIT,...")]
    set_status: Option<String>,
    /// New mark; with a mask, clear its bits and then XOR with VALUE
    #[arg(long, value_name = "VALUE[/MASK]")]
    set_mark: Option<String>,
    /// Name of the helper, such as ftp
    #[arg(long, value_name = "NAME")]
    set_helper: Option<String>,
    /// Labels to add, by name (/etc/xtables/connlabel.conf) or number
    #[arg(long, value_name = "LABEL,...")]
    label_add: Vec<String>,
    /// Labels to remove; without a value, all of them
    #[arg(long, value_name = "LABEL,...", num_args = 0..=1, default_missing_value = "")]
    label_del: Vec<String>,
    #[command(flatten)]
    _end: EndOfHeading,
}

impl Setters {
    /// All changes together.
    fn spec(&self, names: &LabelMap) -> Result<Spec, UsageError> {
        let mut spec = Spec::default();
        for (option, typed) in [
            (Opt::Timeout, &self.set_timeout),
            (Opt::Status, &self.set_status),
            (Opt::Mark, &self.set_mark),
            (Opt::Helper, &self.set_helper),
        ] {
            if let Some(typed) = typed {
                spec.set(option, typed, names)
                    .map_err(|error| named(&error, true))?;
            }
        }
        for (option, all) in [(Opt::LabelAdd, &self.label_add), (Opt::LabelDel, &self.label_del)] {
            for typed in all {
                let taken = if typed.is_empty() && option.is_value_optional() {
                    spec.set_bare(option)
                } else {
                    spec.set(option, typed, names)
                };
                taken.map_err(|error| named(&error, false))?;
            }
        }
        if spec.is_empty() {
            return Err(UsageError(
                "updating entries: no change is given; give --set-timeout, --set-status, --set-mark, --set-helper, \
                 --label-add or --label-del"
                    .to_owned(),
            ));
        }
        Ok(spec)
    }
}

/// The error with the names of these options.
fn named(error: &SpecError, set: bool) -> UsageError {
    let text = error.to_string();
    UsageError(if set {
        text.replacen("--", "--set-", 1)
    } else {
        text
    })
}

const DOING: &str = "updating entries";

/// Runs `rsct update`.
pub fn run(args: &UpdateArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    let labels = LabelMap::load_default();
    let spec = args.setters.spec(&labels)?;
    let changes = spec.changes().map_err(|error| named(&error, false))?;
    let plan = filter.plan();
    args.explain.report(&plan);
    let namespaces = Namespaces::open(&args.netns)?;
    let mut printer = args.sweep.printer(Command::Update, &labels, &namespaces);
    let mut sum = Swept::default();
    let operation = (!args.sweep.dry_run()).then_some((Operation::Update, !args.sweep.quiet()));
    let _watch = operation.map(|_| interrupt::watch());
    let visit = namespaces.visit(async |netns, socket| {
        let selection = Selection {
            filter: &filter,
            plan: &plan,
            netns,
            is_current: !namespaces.are_named(),
        };
        ended::check(DOING)?;
        let change = |entry: &Entry<'_>| {
            let key = key(entry);
            Change {
                orig: key.orig,
                zone_orig: key.zone_orig,
                zone: key.zone,
                // The kernel rejects a status without a bit that the entry has.
                status: changes.status.map(|bits| bits | entry.status.unwrap_or(0)),
                ..changes.clone()
            }
        };
        let swept = selection.sweep(socket, &mut printer, operation, change, &mut sum);
        swept.await.context(DOING)
    });
    let visited = waiting::block_on(visit);
    let printed = printer.finish();
    if sum.is_empty() && !ended::is_why(&visited) {
        // After an error the error is enough.
        if visited.is_ok() {
            message!("no flow entry matches the filter");
        }
    } else {
        message!("{}.", swept(sum.done, args.sweep.dry_run(), "updated"));
        report_rest(&sum, "updating", &changes);
    }
    let all_went_well = visited?;
    printed?;
    namespaces.report_hidden();
    Ok(if all_went_well && sum.done > 0 && sum.refused == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
