//! `rsct timeout why`: the source of a flow's timeout.

use std::{ops::ControlFlow, process::ExitCode, time::Duration};

use clap::Args;

use crate::{
    cli::{
        FilterArgs,
        input_args::InputArgs,
        namespaces::{Namespaces, NetnsArg},
        privileges_arg::PrivilegesArg,
        reading::{self, ExplainArg},
        shared_args::{AttachArg, DurationArg, FormatArg, TextOrJson},
        trace::{self, Subject, TraceArgs},
        watching::{listing_error, report_lost_records},
    },
    filter::Filter,
    netlink::{conntrack::Entry, dump},
    provenance::Listing,
    render::{entry, printed::Form, timeout_source},
    schema::Command,
    waiting,
};

use super::{print, recorded_entries};

/// Report what sets flows' timeouts: policy, default, reduction, user space
///
/// First prints the existing entries with their remaining time and its source. Then prints each refresh: the time that
/// was left, the new timeout, the packet that caused it, and the source: a policy, a default, a reduction by the kernel,
/// or a request from user space and its task. Runs until Ctrl-C or --duration; with `--duration 0s` it prints only the
/// existing entries.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct timeout why -p tcp --dport 443
  rsct timeout why -s 10.0.0.5 --duration 0s
  rsct timeout why --netns all -o json --duration 1m")]
pub(super) struct WhyArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    explain: ExplainArg,
    #[command(flatten)]
    output: FormatArg<TextOrJson>,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    duration: DurationArg,
    #[command(flatten)]
    attach: AttachArg,
    #[command(flatten)]
    netns: NetnsArg,
    #[command(flatten)]
    privileges: PrivilegesArg,
}

/// Runs `rsct timeout why`.
pub(super) fn run(args: &WhyArgs) -> anyhow::Result<ExitCode> {
    if args.input.is_given() {
        recorded(args)?;
    } else {
        existing(args)?;
    }
    if args.duration.duration == Some(Duration::ZERO) {
        return Ok(ExitCode::SUCCESS);
    }
    let mut trace = TraceArgs::of_timeouts(
        args.filter.clone(),
        args.explain,
        args.netns.clone(),
        args.output,
        args.input.clone(),
        args.duration,
        args.attach,
    );
    trace.privileges = args.privileges.clone();
    trace::run_about(&trace, Subject::Timeouts)
}

/// Prints the entries that existed before a recording, or before its window.
fn recorded(args: &WhyArgs) -> anyhow::Result<()> {
    let form = match args.output.is_json() {
        true => Form::Json,
        false => Form::Messages,
    };
    let mut out = args.output.begin(Command::TimeoutWhy);
    let netns = args.netns.name();
    recorded_entries::append(&mut out, &args.input, netns, &args.filter.filter()?, form)?;
    print(&out)
}

/// Prints the existing entries with their remaining time and its source.
fn existing(args: &WhyArgs) -> anyhow::Result<()> {
    let filter = args.filter.filter()?;
    let plan = filter.plan();
    let namespaces = Namespaces::open(&args.netns)?;
    let mut listing = Listing::start(args.attach.form_of_listing()).map_err(listing_error)?;
    let mut out = args.output.begin(Command::TimeoutWhy);
    let visit = namespaces.visit(async |netns, socket| {
        let mut existing = Existing {
            filter: &filter,
            listing: &mut listing,
            netns: netns.inode as u32,
            about: entry::About {
                now: entry::now(),
                netns: namespaces.are_named().then_some(netns),
                ..entry::About::default()
            },
            json: args.output.is_json(),
            begun_at: out.len(),
            out: &mut out,
        };
        reading::entries(socket, dump::Table::Conntrack, &plan, &mut existing).await?;
        Ok(())
    });
    waiting::block_on(visit)?;
    print(&out)?;
    report_lost_records(&listing);
    Ok(())
}

struct Existing<'a> {
    filter: &'a Filter,
    listing: &'a mut Listing,
    netns: u32,
    about: entry::About<'a>,
    json: bool,
    begun_at: usize,
    out: &'a mut Vec<u8>,
}

impl dump::Sink for Existing<'_> {
    fn begin(&mut self) {
        self.begun_at = self.out.len();
    }

    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        if self.filter.meets(entry) {
            let source = self.listing.source_of(self.netns, entry);
            if self.json {
                let about = entry::About {
                    timeout_source: source.as_ref(),
                    ..self.about
                };
                let view = entry::View {
                    format: entry::Format::Json,
                    ..entry::View::default()
                };
                view.entry(self.out, entry, &about);
            } else if let Some(source) = source {
                timeout_source::of_entry(self.out, entry, &source, self.about.netns);
            }
        }
        ControlFlow::Continue(())
    }

    fn restart(&mut self) -> bool {
        self.out.truncate(self.begun_at);
        true
    }
}
