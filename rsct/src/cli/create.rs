//! `rsct create`: a new entry, created over ctnetlink.

use std::process::ExitCode;

use clap::Args;

use super::{
    UsageError,
    entry_args::EntryArgs,
    list::EntryFormat,
    namespaces::{Namespaces, NetnsArg},
    printer::Printer,
    refusal,
    shared_args::FormatArg,
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

/// Create a conntrack entry
///
/// Prints the entry as the kernel stored it. Options for one direction set the mirrored fields of the other unless those
/// are given. TCP entries accept packets outside any window, because the windows of the connection are unknown.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct create -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 5000 --dport 53 -t 60
  rsct create -p icmp -s 10.0.0.1 -d 10.0.0.2 --icmp-type 8 --icmp-id 7 -t 30
  rsct create --or-update -p gre -s 10.0.0.1 -d 10.0.0.2 -t 600 -m 7")]
pub struct CreateArgs {
    #[command(flatten)]
    entry: EntryArgs,
    /// Update an entry that exists: timeout, state, status, mark, labels, helper
    #[arg(long, visible_alias = "update")]
    or_update: bool,
    #[command(flatten)]
    output: FormatArg<EntryFormat>,
    /// Do not print the entry
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
        .format
        .view(Some(Command::Create), &labels, namespaces.column());
    let mut printer = Printer::new((!args.quiet).then_some(view), namespaces.are_named());
    let mut complete = true;
    let visit = namespaces.visit(async |netns, socket| {
        create(socket, &spec, &wanted, args.or_update).await?;
        complete &= show(socket, &wanted, &mut printer, netns).await?;
        Ok(())
    });
    let visited = waiting::block_on(visit);
    // Entries that were created before an error are printed.
    printer.finish()?;
    let all_went_well = visited?;
    namespaces.report_hidden();
    Ok(if all_went_well && complete {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

async fn create(
    socket: &mut Socket,
    spec: &Spec,
    wanted: &Change<'_>,
    or_update: bool,
) -> anyhow::Result<()> {
    match change::apply(socket, Operation::Create, wanted).await {
        Ok(()) => Ok(()),
        Err(error) if or_update && error.errno() == Some(libc::EEXIST) => {
            let Some(status) = status(socket, wanted).await? else {
                // Another entry has the reply tuple.
                return Err(refusal::of_new(socket, error, wanted).await);
            };
            let mut changed = spec
                .changed_entry()
                .map_err(|error| UsageError(error.to_string()))?;
            // The kernel clears no bit, and rejects a status that would.
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

/// The status of the entry with this original direction, if there is one.
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

/// Prints the entry as the kernel stored it; returns whether it has all that was requested.
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
        // Deleted again before the lookup: its timeout was 0, or another program deleted it.
        Err(error) if error.errno() == Some(libc::ENOENT) => {
            message!(
                "the entry {} was created, and has been deleted since",
                refusal::entry(wanted)
            );
        }
        Err(error) => return Err(error.into()),
    }
    for lack in &lacks {
        message!("the entry {} was created without {lack}", refusal::entry(wanted));
    }
    Ok(lacks.is_empty())
}

/// Requested attributes that the kernel ignored.
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
