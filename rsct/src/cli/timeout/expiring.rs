//! `rsct timeout expiring`: what goes when.

use std::{io, ops::ControlFlow, process::ExitCode, time::Duration};

use clap::Args;

use super::{
    Output, exit_code, print,
    soonest::{Listed, Soonest},
};
use crate::{
    cli::{
        FilterArgs, duration,
        list::Output as Shape,
        namespaces::{Namespaces, NetnsArg},
        reading::{self, ExplainArg},
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
    schema::{self, Command},
    timeouts::{Census, Histogram, PROTOCOLS, Values},
    waiting,
};

/// Show when entries go if none of their flows sends another packet: how many in which time, and which go next.
#[derive(Debug, Args)]
pub(super) struct ExpiringArgs {
    /// List all entries that go within this time, such as 30s or 5m.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    within: Option<Duration>,
    /// List this many entries that go next.
    #[arg(long, value_name = "N", default_value_t = 10, conflicts_with = "within")]
    next: usize,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    explain: ExplainArg,
    /// How it looks.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct timeout expiring`.
pub(super) fn run(args: &ExpiringArgs) -> anyhow::Result<ExitCode> {
    let filter = args.filter.filter()?;
    let plan = filter.plan();
    args.explain.tell(&plan);
    let namespaces = Namespaces::open(&args.netns)?;
    let labels = LabelMap::load_default();
    let shape = match args.output {
        Output::Text => Shape::Text,
        Output::Json => Shape::Json,
    };
    let expiring = Expiring {
        args,
        filter,
        plan,
        // A table of its own for each namespace needs no column.
        view: shape.view(None, &labels, None),
        now: entry::now(),
        palette: Palette::for_stream(&io::stdout()),
        namespaces: &namespaces,
    };
    let mut out = Vec::new();
    let visit = namespaces.visit(async |netns, socket| expiring.one(netns, socket, &mut out).await);
    let all_went_well = waiting::block_on(visit)?;
    print(&out)?;
    namespaces.tell_of_hidden();
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
            let mut values = Values {
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
        let mut taking = Taking {
            expiring: self,
            netns,
            listed,
            census: Census::new(handled),
            whole: Part::new(listed),
            part: Part::new(listed),
        };
        reading::entries(socket, dump::Table::Conntrack, &self.plan, &mut taking).await?;
        taking.keep();
        let Part { histogram, soonest } = taking.whole;
        let (entries, shown) = (histogram.entries(), soonest.len());
        match self.args.output {
            Output::Text => {
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
            Output::Json => {
                schema::begin_once(out, Command::TimeoutExpiring);
                render::json(out, &histogram, self.namespaces.are_named().then_some(netns));
            }
        }
        soonest.write(out);
        let of = self.namespaces.of(netns);
        match self.args.within {
            Some(_) => message!(
                "{shown} of {}{of} {} within that time.",
                plural::count(entries, "flow entry", "flow entries"),
                plural::choose(&shown, "goes", "go")
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

/// What a dump, or a part of it, has brought.
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

struct Taking<'a> {
    expiring: &'a Expiring<'a>,
    netns: &'a Netns,
    listed: Listed,
    census: Census,
    /// What is known to be complete.
    whole: Part,
    /// What the dump under way has brought, which may begin anew.
    part: Part,
}

impl Taking<'_> {
    fn keep(&mut self) {
        let part = std::mem::replace(&mut self.part, Part::new(self.listed));
        self.whole.histogram.add(&part.histogram);
        self.whole.soonest.add(part.soonest);
    }
}

impl dump::Sink for Taking<'_> {
    fn begin(&mut self) {
        self.keep();
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
