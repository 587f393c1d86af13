//! The flow's entries before the watch, and those in other namespaces.

use anyhow::Context as _;

use super::{
    super::lookup::{self, Found},
    FlowArgs,
};
use crate::{
    cli::{
        each_host::Output,
        input_args::{InputArgs, netns_of},
        namespaces::{Namespaces, NetnsArg},
        shared_args::TextOrJson,
        watching::{listing_error, report_lost_records},
    },
    observe::Selection,
    provenance::Listing,
    schema::Command,
    source::recorded::table,
    why::words::NamedFlow,
};

/// Prints the flow's entries at the start of the recording.
pub(super) fn at_start(
    args: &FlowArgs,
    input: &InputArgs,
    output: &mut Output,
    named: &NamedFlow,
) -> anyhow::Result<Vec<Found>> {
    let recorded = input.open(true)?.context("no recording is given")?;
    let mut files = recorded.files;
    let model = match recorded.window.from_ns {
        0 => table::first(&mut files, Selection::default())?,
        from_ns => table::at(&mut files, Selection::default(), from_ns)?,
    };
    let model = model.context("no recording is given")?;
    let names = &recorded.start.names;
    let netns = netns_of(args.watching.netns.name(), names)?;
    let found = lookup::recorded(&model, names, &named.orig, netns, args.watching.output.format);
    print_existing(args, output, &found, "at the start")?;
    Ok(found)
}

/// Prints the flow's current entries with their remaining time and its source.
pub(super) async fn now(
    args: &FlowArgs,
    output: &mut Output,
    named: &NamedFlow,
    namespaces: &Namespaces,
) -> anyhow::Result<Vec<Found>> {
    let mut listing = Listing::start(args.watching.attach.form_of_listing()).map_err(listing_error)?;
    let format = args.watching.output.format;
    let found = lookup::entries(namespaces, &named.orig, Some(&mut listing), format).await?;
    print_existing(args, output, &found, "now")?;
    report_lost_records(&listing);
    Ok(found)
}

fn print_existing(args: &FlowArgs, output: &mut Output, found: &[Found], when: &str) -> anyhow::Result<()> {
    let mut out = args.watching.output.begin(Command::WhyFlow);
    let is_text = args.watching.output.format == TextOrJson::Text;
    if is_text {
        let heading = match found.is_empty() {
            true => format!("in the table {when}: no entry with this tuple\n\n"),
            false => format!("in the table {when}:\n"),
        };
        out.extend_from_slice(heading.as_bytes());
    }
    for found in found {
        out.extend_from_slice(&found.shown);
    }
    if is_text && !found.is_empty() {
        out.push(b'\n');
    }
    output.print(&out)
}

/// The flow's entries in all other namespaces, if no selected one has it.
pub(super) async fn elsewhere(
    named: &NamedFlow,
    namespaces: &Namespaces,
    before: &[Found],
    after: &[Found],
    format: TextOrJson,
) -> anyhow::Result<Vec<Found>> {
    if namespaces.are_all() || !before.is_empty() || !after.is_empty() {
        return Ok(Vec::new());
    }
    let all = Namespaces::open(&NetnsArg::all())?;
    lookup::entries(&all, &named.orig, None, format).await
}
