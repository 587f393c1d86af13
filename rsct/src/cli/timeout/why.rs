//! `rsct timeout why`: who gave a flow its timeout.

use std::{ops::ControlFlow, process::ExitCode, time::Duration};

use clap::Args;

use crate::{
    cli::{
        FilterArgs, duration,
        namespaces::{Namespaces, NetnsArg},
        probing::{AttachArg, why_not},
        reading::{self, ExplainArg},
        trace::{self, Telling, TraceArgs},
    },
    filter::Filter,
    netlink::{conntrack::Entry, dump},
    plural,
    provenance::{Listing, ListingError},
    render::{entry, timeout_source},
    schema::{self, Command},
    waiting,
};

use super::{Output, print};

/// Tell how flows get their timeouts: each refresh with what was left and what there is now, the packet that did it, and
/// whose timeout it is: a policy's, a default, one that the kernel shortens, or one set by hand and by which task.
///
/// First come the entries that are there already, with what is left of their timeouts and whose those are; then what
/// happens, until --duration is over or until Ctrl-C.
#[derive(Debug, Args)]
pub(super) struct WhyArgs {
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    explain: ExplainArg,
    /// How lines look. JSON's are those of `rsct list --timeout-source` and `rsct trace`.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Stop after this long: 10s, 5m, 500ms; with 0s only the entries that are there are told of.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    duration: Option<Duration>,
    /// How to attach.
    #[arg(long, value_enum, default_value_t)]
    attach: AttachArg,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct timeout why`.
pub(super) fn run(args: &WhyArgs) -> anyhow::Result<ExitCode> {
    there_already(args)?;
    if args.duration == Some(Duration::ZERO) {
        return Ok(ExitCode::SUCCESS);
    }
    let trace = TraceArgs::of_timeouts(
        args.filter.clone(),
        args.explain,
        args.netns.clone(),
        args.output == Output::Json,
        args.duration,
        args.attach,
    );
    trace::run_telling(&trace, Telling::Timeouts)
}

/// Tells of the entries that are there, and what is left of their timeouts.
fn there_already(args: &WhyArgs) -> anyhow::Result<()> {
    let filter = args.filter.filter()?;
    let plan = filter.plan();
    let namespaces = Namespaces::open(&args.netns)?;
    let mut listing = Listing::start(args.attach.form_beside()).map_err(|error| match error {
        ListingError::Session(error) => why_not(error),
        error => error.into(),
    })?;
    let mut out = Vec::new();
    if args.output == Output::Json {
        schema::begin(&mut out, Command::TimeoutWhy);
    }
    let visit = namespaces.visit(async |netns, socket| {
        let mut there = There {
            filter: &filter,
            listing: &mut listing,
            netns: netns.inode as u32,
            about: entry::About {
                now: entry::now(),
                netns: namespaces.are_named().then_some(netns),
                ..entry::About::default()
            },
            json: args.output == Output::Json,
            begun_at: out.len(),
            out: &mut out,
        };
        reading::entries(socket, dump::Table::Conntrack, &plan, &mut there).await?;
        Ok(())
    });
    waiting::block_on(visit)?;
    print(&out)?;
    if listing.lost() != 0 {
        message!(
            "{} LOST: as many timeouts may be another's than is said",
            plural::count(listing.lost(), "record was", "records were")
        );
    }
    Ok(())
}

struct There<'a> {
    filter: &'a Filter,
    listing: &'a mut Listing,
    netns: u32,
    about: entry::About<'a>,
    json: bool,
    begun_at: usize,
    out: &'a mut Vec<u8>,
}

impl dump::Sink for There<'_> {
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
