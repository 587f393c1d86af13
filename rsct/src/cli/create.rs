//! `rsct create`: one entry made by hand.

use std::process::ExitCode;

use clap::Args;

use super::{
    UsageError,
    entry_args::EntryArgs,
    list::Output,
    namespaces::{Namespaces, NetnsArg},
    printer::Printer,
    refusal,
};
use crate::{
    entry_spec::Spec,
    kernel::netns::Netns,
    labels::LabelMap,
    netlink::{
        Error, Socket,
        change::{self, Operation},
        conntrack::{Change, Entry},
        lookup,
    },
    schema::Command,
    waiting,
};

/// Make an entry of the conntrack table, and show it as the kernel has it.
///
/// TCP entries pass packets whatever their window, since a connection's windows are not known here.
#[derive(Debug, Args)]
pub struct CreateArgs {
    #[command(flatten)]
    entry: EntryArgs,
    /// Change the entry if it is there already: timeout, state, status, mark, labels, helper.
    #[arg(long, visible_alias = "update")]
    or_update: bool,
    /// How the entry looks.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Show nothing.
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct create`.
pub fn run(args: &CreateArgs) -> anyhow::Result<ExitCode> {
    let labels = LabelMap::load_default();
    let spec = args.entry.spec(&labels)?;
    let wanted = spec.new_entry().map_err(|error| UsageError(error.to_string()))?;
    let namespaces = Namespaces::open(&args.netns)?;
    let view = args
        .output
        .view(Some(Command::Create), &labels, namespaces.column());
    let mut printer = Printer::new((!args.quiet).then_some(view), namespaces.are_named());
    let mut complete = true;
    let visit = namespaces.visit(async |netns, socket| {
        make(socket, &spec, &wanted, args.or_update).await?;
        complete &= show(socket, &wanted, &mut printer, netns).await?;
        Ok(())
    });
    let visited = waiting::block_on(visit);
    // What was made before something failed is shown.
    printer.finish()?;
    let all_went_well = visited?;
    namespaces.tell_of_hidden();
    Ok(if all_went_well && complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn make(socket: &mut Socket, spec: &Spec, wanted: &Change<'_>, or_update: bool) -> anyhow::Result<()> {
    match change::apply(socket, Operation::Create, wanted).await {
        Ok(()) => Ok(()),
        Err(error) if or_update && error.errno() == Some(libc::EEXIST) => {
            let Some(status) = status(socket, wanted).await? else {
                // The entry in the way is another.
                return Err(refusal::of_new(socket, error, wanted).await);
            };
            let mut changed = spec
                .changed_entry()
                .map_err(|error| UsageError(error.to_string()))?;
            // The kernel takes no bit away, and refuses a status that would.
            changed.status = changed.status.map(|bits| bits | status);
            match change::apply(socket, Operation::Update, &changed).await {
                Ok(()) => Ok(()),
                Err(error) => {
                    let doing = format!("updating the entry {}", refusal::entry(wanted));
                    Err(refusal::of_change(socket, error, &changed, &doing).await)
                }
            }
        }
        Err(error) => Err(refusal::of_new(socket, error, wanted).await),
    }
}

/// The status of the entry with the wanted original direction, if there is one.
async fn status(socket: &mut Socket, wanted: &Change<'_>) -> Result<Option<u32>, Error> {
    let mut status = None;
    match lookup::matching(socket, &by_orig(wanted), |entry| status = entry.status).await {
        Ok(()) => Ok(status),
        Err(error) if error.errno() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

fn by_orig<'a>(wanted: &Change<'_>) -> Change<'a> {
    Change {
        orig: wanted.orig,
        zone_orig: wanted.zone_orig,
        zone: wanted.zone,
        ..Change::default()
    }
}

/// Shows what the kernel has made of it; says whether that is all that was wanted.
async fn show(
    socket: &mut Socket,
    wanted: &Change<'_>,
    printer: &mut Printer<'_>,
    netns: &Netns,
) -> anyhow::Result<bool> {
    let mut lacks = Vec::new();
    let by_orig = by_orig(wanted);
    let looked = lookup::matching(socket, &by_orig, |entry| {
        lacks = lacking(wanted, entry);
        printer.begin_netns(netns);
        printer.entry(entry, netns);
    });
    match looked.await {
        Ok(()) => {}
        // Made, and gone before we looked: a timeout of no seconds, or somebody else deletes.
        Err(error) if error.errno() == Some(libc::ENOENT) => {
            message!(
                "the entry {} was made, and is gone already",
                refusal::entry(wanted)
            );
        }
        Err(error) => return Err(error.into()),
    }
    for lack in &lacks {
        message!("the entry {} was made without {lack}", refusal::entry(wanted));
    }
    Ok(lacks.is_empty())
}

/// What the kernel passed over in silence.
fn lacking(wanted: &Change<'_>, entry: &Entry<'_>) -> Vec<&'static str> {
    let mut lacks = Vec::new();
    if wanted.mark.is_some_and(|mark| entry.mark.unwrap_or(0) != mark) {
        lacks.push("its mark: this kernel is built without marks (CONFIG_NF_CONNTRACK_MARK)");
    }
    let labels = entry.labels.unwrap_or(&[]);
    let has = |(at, wanted): (usize, &u8)| wanted & !labels.get(at).copied().unwrap_or(0) == 0;
    if wanted
        .labels
        .is_some_and(|labels| !labels.iter().enumerate().all(has))
    {
        lacks.push(
            "its labels: the kernel keeps labels only where a rule of the namespace uses them \
             (`iptables -m connlabel`, nft's `ct label`)",
        );
    }
    if wanted.helper.is_some() && entry.helper.map(|h| h.name) != wanted.helper.map(|h| h.name) {
        lacks.push("its helper");
    }
    lacks
}
