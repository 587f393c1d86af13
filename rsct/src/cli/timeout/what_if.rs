//! `rsct timeout what-if`: simulates other timeouts with live traffic.

use std::{ops::ControlFlow, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use rsct_common::Tuple;

use super::{
    assignments::{self, STATES_HELP},
    exit_code,
    protocol::{self, PROTOCOL_HELP},
};
use crate::{
    cli::{
        FilterArgs, UsageError,
        each_host::{Output, each_host},
        input_args::{InputArgs, netns_of},
        namespaces::{Namespaces, NetnsArg},
        shared_args::{AttachArg, FormatArg, TextOrJson, WatchTimeArg},
        watching::{listing_error, records_have, report_watching},
    },
    filter::{Filter, Plan},
    flow::TupleKey,
    kernel::{clock, netns::Selector},
    netlink::{conntrack::Entry, dump},
    observe::{Joined, Model, Selection, Summary},
    provenance::Listing,
    render::{
        printed::{Form, Printed},
        what_if::Report,
    },
    schema::{self, Command},
    source::{
        Source,
        live::{Limits, Live, LiveOptions},
        recorded::table,
    },
    timeouts::{GENERIC, Protocol, Setter, TimeoutSource, TimeoutValues},
    waiting,
    what_if::{Incident, Simulation, TimeoutTrial, TrialObserver},
};

/// Simulate other timeouts with live traffic
///
/// Changes nothing. Reports entries that would have expired, entries that expired and would still exist, the size of the
/// table, and flows that would have been cut off: a packet arrived after their entry would have expired. The simulation
/// assumes that the values apply since each entry's last packet. Entries with a policy keep the policy's timeouts. Ctrl-C
/// stops the watch; the report covers the time until then.
#[derive(Debug, Args)]
#[command(
    mut_arg("duration", |arg| arg.default_value("60s")),
    after_long_help = "\
Examples:
  rsct timeout what-if tcp established=1h
  rsct timeout what-if udp unreplied=5 replied=30 --duration 10m --dport 53"
)]
pub(super) struct WhatIfArgs {
    #[arg(help = PROTOCOL_HELP, value_name = "PROTO")]
    of: String,
    #[arg(help = STATES_HELP, value_name = "STATE=SECS", required = true)]
    states: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    duration: WatchTimeArg,
    /// List N flows of each kind; JSON lists all
    #[arg(long, value_name = "N", default_value_t = 20)]
    list: usize,
    #[command(flatten)]
    output: FormatArg<TextOrJson>,
    #[command(flatten)]
    attach: AttachArg,
    #[command(flatten)]
    netns: NetnsArg,
    #[command(flatten)]
    input: InputArgs,
}

/// Size of the ring buffer, which holds the records that arrive while tables are read.
const RING_BYTES: u32 = 8 << 20;

/// Runs `rsct timeout what-if`.
pub(super) fn run(args: &WhatIfArgs) -> anyhow::Result<ExitCode> {
    let protocol = protocol::named(&args.of)?;
    let assignments = assignments::parse(protocol, &args.states)?;
    let trial = TimeoutTrial {
        protocol,
        values: assignments
            .iter()
            .map(|(state, seconds)| (state.attribute, u64::from(*seconds) * 1000))
            .collect(),
    };
    let filter = of_protocol(args.filter.filter()?, protocol)?;
    let event_loop = waiting::event_loop()?;
    if args.input.is_given() {
        return each_host(&args.input, args.output.is_json(), |input, output| {
            event_loop.block_on(replay(args, input, output, trial.clone(), filter))
        });
    }
    event_loop.block_on(async {
        let namespaces = Namespaces::open(&args.netns)?;
        is_handled(protocol, &namespaces).await?;
        watch(args, trial, filter, &namespaces).await
    })
}

/// Simulates with the traffic of a recording.
async fn replay(
    args: &WhatIfArgs,
    input: &InputArgs,
    output: &mut Output,
    trial: TimeoutTrial,
    filter: Filter,
) -> anyhow::Result<()> {
    let open = || input.open(false)?.context("no recording is given");
    let mut first = open()?;
    let netns = netns_of(args.netns.name(), &first.start.names)?;
    let selection = |from_ns| Selection::recorded(&filter, netns, from_ns);
    let from_ns = first.window.from_ns;
    let before = match from_ns {
        0 => table::first(&mut first.files, selection(0))?,
        from_ns => table::at(&mut first.files, selection(0), from_ns)?,
    };
    let before = before.context("no recording is given")?;
    let mut observer = TrialObserver::new(Simulation::new(trial), first.start.setup.hz);
    for flow in table::entries(&before) {
        let entry = table::entry(flow, before.now_ns());
        if let (true, Some(left_s)) = (observer.is_tried(entry.orig.protonum), entry.timeout)
            && filter.meets(&entry)
        {
            // Which timeout it has is unknown until its next packet.
            observer.seed(
                flow.tuple_key(),
                before.now_ns(),
                left_s,
                &TimeoutSource::of(Setter::Unknown),
            );
        }
    }
    let mut source = Source::Recorded(Box::new(open()?));
    let show_netns = source.setup().only_netns.is_none();
    let mut setup = source.setup().clone();
    setup.with_causes = false;
    let mut joined = Joined {
        model: Model::new(&setup, selection(from_ns)),
        observer: printed(observer, args.output.is_json(), output),
    };
    source.run(&mut joined, Limits::default()).await?;
    let model = &joined.model;
    let mut keys = Vec::new();
    let mut others = 0;
    for flow in table::entries(model) {
        let entry = table::entry(flow, model.now_ns());
        match filter.meets(&entry) && joined.observer.printer.is_tried(entry.orig.protonum) {
            true => keys.push(flow.tuple_key()),
            false => others += 1,
        }
    }
    let last = Last {
        keys,
        others,
        now_ns: model.now_ns(),
        started_ns: source.setup().started_ns.max(from_ns),
        lost_listing: 0,
        show_netns,
    };
    report(args, joined, last)
}

/// The table at the end, and what the report has to know.
struct Last {
    keys: Vec<TupleKey>,
    others: u64,
    now_ns: u64,
    started_ns: u64,
    lost_listing: u64,
    show_netns: bool,
}

type Trial<'a> = Printed<TrialObserver, &'a mut Output>;

fn printed(observer: TrialObserver, json: bool, output: &mut Output) -> Trial<'_> {
    let form = match json {
        true => Form::Json,
        false => Form::Messages,
    };
    let mut printed = Printed::new(observer, form, output);
    if json {
        printed.lines(|out| schema::begin(out, Command::TimeoutWhatIf));
    }
    printed
}

fn report(args: &WhatIfArgs, joined: Joined<Trial<'_>>, last: Last) -> anyhow::Result<()> {
    let Joined { model, mut observer } = joined;
    // A failed write is reported with the answer.
    let _ = observer.finish();
    let (observer, output) = observer.into_parts();
    let summary = Summary::of(&model);
    let mut incidents: Vec<Incident> = Vec::new();
    let totals = observer
        .simulation()
        .end(last.now_ns, last.keys, |incident| incidents.push(incident));
    incidents.sort_by_key(|incident| std::cmp::Reverse(incident.weight_ms()));
    let report = Report {
        trial: observer.simulation().trial(),
        watched: summary.elapsed,
        started_ns: last.started_ns,
        totals,
        others: last.others,
        lost: last.lost_listing + summary.lost_total(),
        incidents: &incidents,
        most: args.list,
        show_netns: last.show_netns,
    };
    let mut out = Vec::new();
    if args.output.is_json() {
        report.json(&mut out);
    } else {
        report.text(&mut out);
    }
    output.print(&out)
}

/// Checks that the kernel has a handler for the protocol.
async fn is_handled(protocol: &'static Protocol, namespaces: &Namespaces) -> anyhow::Result<()> {
    namespaces
        .visit(async |netns, socket| {
            let mut values = TimeoutValues {
                socket,
                at: namespaces.settings(netns),
            };
            match values.read(protocol).await? {
                Some(_) => Ok(()),
                None => Err(protocol::missing(protocol)),
            }
        })
        .await?;
    Ok(())
}

/// The filter, limited to the simulated protocol.
fn of_protocol(mut filter: Filter, protocol: &Protocol) -> Result<Filter, UsageError> {
    let filtered = filter.proto.map(|number| Protocol::of_number(number).number);
    if filtered.is_some_and(|filtered| filtered != protocol.number) {
        return Err(UsageError(format!(
            "--proto: the simulated timeouts are those of {}; give that protocol, or omit the option",
            protocol.name
        )));
    }
    if protocol.number != GENERIC {
        filter.proto = Some(protocol.number);
    }
    Ok(filter)
}

async fn watch(
    args: &WhatIfArgs,
    trial: TimeoutTrial,
    filter: Filter,
    namespaces: &Namespaces,
) -> anyhow::Result<ExitCode> {
    records_have(
        &filter,
        "packet records do not have this field; `rsct list` and `rsct watch` accept the option",
    )?;
    let mut source = Live::start(LiveOptions {
        filter,
        netns: Selector::from_option(args.netns.name()),
        everywhere: false,
        with_causes: false,
        form: args.attach.form(),
        ring_bytes: RING_BYTES,
        with_refresh: true,
        log_bpf: false,
        reports_early: false,
        show_hooks: false,
    })?;
    let mut watching = TrialObserver::new(Simulation::new(trial), source.setup.hz);
    let mut listing = Listing::start(args.attach.form_of_listing()).map_err(listing_error)?;
    seed(namespaces, filter, &mut listing, &mut watching).await?;
    let lost_listing = listing.lost();
    drop(listing);

    let json = args.output.is_json();
    let mut output = Output::stdout();
    let mut joined = Joined {
        model: Model::new(&source.setup, Selection::live(&filter)),
        observer: printed(watching, json, &mut output),
    };
    if !json {
        report_watching(args.duration.duration);
    }
    let limits = Limits {
        duration: Some(args.duration.duration),
    };
    source.run(&mut joined, limits).await.context("cannot trace")?;
    let mut last = LastDump {
        filter,
        watching: &joined.observer.printer,
        netns: 0,
        keys: Vec::new(),
        others: 0,
        before: (0, 0),
    };
    let all_went_well = namespaces
        .visit(async |netns, socket| {
            last.netns = netns.inode as u32;
            let query = dump::Query::default();
            dump::entries(socket, &query, &mut last).await?;
            Ok(())
        })
        .await?;
    let last = Last {
        keys: std::mem::take(&mut last.keys),
        others: last.others,
        now_ns: clock::monotonic_ns(),
        started_ns: source.setup.started_ns,
        lost_listing,
        show_netns: namespaces.are_named(),
    };
    report(args, joined, last)?;
    namespaces.report_hidden();
    Ok(exit_code(all_went_well))
}

/// Adds the entries that exist before the watch.
async fn seed(
    namespaces: &Namespaces,
    filter: Filter,
    listing: &mut Listing,
    watching: &mut TrialObserver,
) -> anyhow::Result<()> {
    let plan: Plan = filter.plan();
    namespaces
        .visit(async |netns, socket| {
            let mut seeds = Seeds {
                filter,
                listing,
                watching,
                netns: netns.inode as u32,
            };
            crate::cli::reading::entries(socket, dump::Table::Conntrack, &plan, &mut seeds).await?;
            Ok(())
        })
        .await
        .context("reading the entries that exist before the watch")?;
    Ok(())
}

fn key(netns: u32, entry: &Entry<'_>) -> TupleKey {
    TupleKey {
        netns,
        zone: entry.zone_number(),
        orig: entry.orig.to_words(),
    }
}

struct Seeds<'a> {
    filter: Filter,
    listing: &'a mut Listing,
    watching: &'a mut TrialObserver,
    netns: u32,
}

impl dump::Sink for Seeds<'_> {
    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        if self.filter.meets(entry)
            && self.watching.is_tried(entry.orig.protonum)
            && let Some(left_s) = entry.timeout
            && let Some(source) = self.listing.source_of(self.netns, entry)
        {
            let now_ns = clock::monotonic_ns();
            self.watching
                .seed(key(self.netns, entry), now_ns, left_s, &source);
        }
        ControlFlow::Continue(())
    }

    /// Adding an entry twice changes nothing.
    fn restart(&mut self) -> bool {
        true
    }
}

/// The table at the end.
struct LastDump<'a> {
    filter: Filter,
    watching: &'a TrialObserver,
    netns: u32,
    keys: Vec<TupleKey>,
    /// Entries that are not simulated.
    others: u64,
    before: (usize, u64),
}

impl dump::Sink for LastDump<'_> {
    fn begin(&mut self) {
        self.before = (self.keys.len(), self.others);
    }

    fn entry(&mut self, entry: &Entry<'_>) -> ControlFlow<()> {
        let orig: Tuple = entry.orig;
        if self.watching.is_tried(orig.protonum) && self.filter.meets(entry) {
            self.keys.push(key(self.netns, entry));
        } else {
            self.others += 1;
        }
        ControlFlow::Continue(())
    }

    fn restart(&mut self) -> bool {
        self.keys.truncate(self.before.0);
        self.others = self.before.1;
        true
    }
}
