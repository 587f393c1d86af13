//! `rsct timeout expiring`: when entries expire.

use std::{io, ops::ControlFlow, process::ExitCode, time::Duration};

use clap::Args;

use super::{
    exit_code, print,
    soonest::{Listed, Soonest},
};
use crate::{
    cli::{
        FilterArgs, duration,
        list::EntryFormat,
        namespaces::{Namespaces, NetnsArg},
        reading::{self, ExplainArg},
        shared_args::{FormatArg, TextOrJson},
    },
    filter::{Filter, Plan},
    kernel::netns::Netns,
    labels::LabelMap,
    netlink::{Socket, conntrack::Entry, dump},
    plural,
    render::{
        color::Palette,
        entry::{self, About, View},
        expiring as render,
    },
    schema::Command,
    timeouts::{Census, Histogram, PROTOCOLS, TimeoutValues},
    waiting,
};

/// Print a histogram of remaining lifetimes, and the next entries to expire
///
/// The times hold if no flow sends another packet.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct timeout expiring
  rsct timeout expiring --within 30s -p udp
  rsct timeout expiring --next 50 -o json")]
pub(super) struct ExpiringArgs {
    /// List all entries that expire within TIME (30s, 5m)
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    within: Option<Duration>,
    /// List the next N entries to expire
    #[arg(long, value_name = "N", default_value_t = 10, conflicts_with = "within")]
    next: usize,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    explain: ExplainArg,
    #[command(flatten)]
    output: FormatArg<TextOrJson>,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct timeout expiring`.
pub(super) fn run(args: &ExpiringArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    let plan = filter.plan();
    args.explain.report(&plan);
    let namespaces = Namespaces::open(&args.netns)?;
    let labels = LabelMap::load_default();
    let format = match args.output.format {
        TextOrJson::Text => EntryFormat::Text,
        TextOrJson::Json => EntryFormat::Json,
    };
    let expiring = Expiring {
        args,
        filter,
        plan,
        // Each namespace has its own list, so no column is needed.
        view: format.view(None, &labels, None),
        now: entry::now(),
        palette: Palette::for_stream(&io::stdout()),
        namespaces: &namespaces,
    };
    let mut out = args.output.begin(Command::TimeoutExpiring);
    let visit = namespaces.visit(async |netns, socket| expiring.one(netns, socket, &mut out).await);
    let all_went_well = waiting::block_on(visit)?;
    print(&out)?;
    namespaces.report_hidden();
    Ok(exit_code(all_went_well))
}

struct Expiring<'a> {
    args: &'a ExpiringArgs,
    filter: Filter,
    plan: Plan,
    view: View<'a>,
    now: Duration,
    palette: Palette,
    namespaces: &'a Namespaces,
}

impl Expiring<'_> {
    async fn one(&self, netns: &Netns, socket: &mut Socket, out: &mut Vec<u8>) -> anyhow::Result<()> {
        let mut handled = Vec::new();
        for protocol in PROTOCOLS {
            let mut values = TimeoutValues {
                socket,
                at: self.namespaces.settings(netns),
            };
            if values.read(protocol).await?.is_some() {
                handled.push(protocol.number);
            }
        }
        let listed = match self.args.within {
            Some(within) => Listed::Within(within.as_secs()),
            None => Listed::Next(self.args.next),
        };
        let mut sink = ExpirySink {
            expiring: self,
            netns,
            listed,
            census: Census::new(handled),
            whole: Part::new(listed),
            part: Part::new(listed),
        };
        reading::entries(socket, dump::Table::Conntrack, &self.plan, &mut sink).await?;
        sink.commit();
        let Part { histogram, soonest } = sink.whole;
        let (entries, shown) = (histogram.entries(), soonest.len());
        match self.args.output.format {
            TextOrJson::Text => {
                if self.namespaces.are_all() {
                    out.extend_from_slice(format!("network namespace {}:\n", netns.name).as_bytes());
                }
                if entries > 0 {
                    render::text(out, &histogram, self.palette);
                }
                if shown > 0 {
                    out.push(b'\n');
                }
            }
            TextOrJson::Json => {
                render::json(out, &histogram, self.namespaces.are_named().then_some(netns));
            }
        }
        soonest.write(out);
        let of = self.namespaces.of(netns);
        match self.args.within {
            Some(_) => message!(
                "{shown} of {}{of} {} within that time.",
                plural::count(entries, "flow entry", "flow entries"),
                plural::choose(&shown, "expires", "expire")
            ),
            None => message!(
                "the next {shown} of {}{of} {} been shown, {} not.",
                plural::count(entries, "flow entry", "flow entries"),
                plural::choose(&shown, "has", "have"),
                plural::count(entries.saturating_sub(shown as u64), "has", "have")
            ),
        }
        Ok(())
    }
}

/// The result of a dump, or of a part of it.
struct Part {
    histogram: Histogram,
    soonest: Soonest,
}

impl Part {
    fn new(listed: Listed) -> Self {
        Self {
            histogram: Histogram::default(),
            soonest: Soonest::new(listed),
        }
    }
}

struct ExpirySink<'a> {
    expiring: &'a Expiring<'a>,
    netns: &'a Netns,
    listed: Listed,
    census: Census,
    /// Complete dumps.
    whole: Part,
    /// The current dump, which may restart.
    part: Part,
}

impl ExpirySink<'_> {
    fn commit(&mut self) {
        let part = std::mem::replace(&mut self.part, Part::new(self.listed));
        self.whole.histogram.add(&part.histogram);
        self.whole.soonest.add(part.soonest);
    }
}

impl dump::Sink for ExpirySink<'_> {
    fn begin(&mut self) {
        self.commit();
    }

    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        let Expiring {
            filter,
            view,
            now,
            namespaces,
            ..
        } = self.expiring;
        if !filter.meets(entry) {
            return ControlFlow::Continue(());
        }
        self.part
            .histogram
            .take(entry.timeout, self.census.governing(entry));
        if let Some(seconds) = entry.timeout {
            let about = About {
                now: *now,
                netns: namespaces.are_named().then_some(self.netns),
                ..About::default()
            };
            self.part
                .soonest
                .take(seconds, |out| view.entry(out, entry, &about));
        }
        ControlFlow::Continue(())
    }

    fn restart(&mut self) -> bool {
        self.part = Part::new(self.listed);
        true
    }
}
