//! `rsct update`: the entries that meet a filter are changed.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::{
    FilterArgs, UsageError,
    delete::{Meant, ShownArgs, key, swept, tell_others},
    ended,
    namespaces::{Namespaces, NetnsArg},
    reading::ExplainArg,
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

/// Change the entries of the conntrack table that meet the filter, and show them as the kernel has them then. Exit code
/// 1 where none meets it.
///
/// What begins with --set- or --label- says what is changed, everything else which entries are meant. -q is --quiet here,
/// and --reply-dst has no letter.
#[derive(Debug, Args)]
#[command(mut_arg("reply_dst", |arg| arg.short(None)))]
pub struct UpdateArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    explain: ExplainArg,
    #[command(flatten)]
    setters: Setters,
    #[command(flatten)]
    shown: ShownArgs,
    #[command(flatten)]
    netns: NetnsArg,
}

/// What is to be changed.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Changes")]
struct Setters {
    /// Seconds until the entry expires.
    #[arg(long, value_name = "SECONDS")]
    set_timeout: Option<String>,
    /// Status bits to be set, with commas between: SEEN_REPLY, ASSURED, FIXED_TIMEOUT. The kernel takes none away.
    #[arg(long, value_name = "BIT,...")]
    set_status: Option<String>,
    /// Mark; with a mask, its bits are cleared and VALUE is XORed in.
    #[arg(long, value_name = "VALUE[/MASK]")]
    set_mark: Option<String>,
    /// Helper, such as ftp.
    #[arg(long, value_name = "NAME")]
    set_helper: Option<String>,
    /// Labels to be added, by name (/etc/xtables/connlabel.conf) or number.
    #[arg(long, value_name = "LABEL,...")]
    label_add: Vec<String>,
    /// Labels to be taken away; all of them where none is named.
    #[arg(long, value_name = "LABEL,...", num_args = 0..=1, default_missing_value = "")]
    label_del: Vec<String>,
}

impl Setters {
    /// What they say together.
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
                "updating entries: nothing says what is to be changed; give --set-timeout, --set-status, --set-mark, \
                 --set-helper, --label-add or --label-del"
                    .to_owned(),
            ));
        }
        Ok(spec)
    }
}

/// An error in the words of these options, whose names are longer.
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
    args.explain.tell(&plan);
    let namespaces = Namespaces::open(&args.netns)?;
    let mut printer = args.shown.printer(Command::Update, &labels, &namespaces);
    let mut sum = Swept::default();
    let operation = (!args.shown.dry_run).then_some((Operation::Update, !args.shown.quiet));
    let _watch = operation.map(|_| interrupt::watch());
    let visit = namespaces.visit(async |netns, socket| {
        let meant = Meant {
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
                // The kernel refuses a status without a bit that the entry has.
                status: changes.status.map(|bits| bits | entry.status.unwrap_or(0)),
                ..changes.clone()
            }
        };
        let swept = meant.sweep(socket, &mut printer, operation, change, &mut sum);
        swept.await.context(DOING)
    });
    let visited = waiting::block_on(visit);
    let printed = printer.finish();
    if sum.is_empty() && !ended::is_why(&visited) {
        // What else went wrong is said alone.
        if visited.is_ok() {
            message!("no flow entry meets the filter");
        }
    } else {
        message!("{}.", swept(sum.done, args.shown.dry_run, "updated"));
        tell_others(&sum, "updating", &changes);
    }
    let all_went_well = visited?;
    printed?;
    namespaces.tell_of_hidden();
    Ok(if all_went_well && sum.done > 0 && sum.refused == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
