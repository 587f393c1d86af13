//! `rsct timeout what-if`: simulates other timeouts with live traffic.

mod live;
mod replayed;

use std::process::ExitCode;

use clap::Args;

use super::{
    assignments::{self, STATES_HELP},
    protocol::{self, PROTOCOL_HELP},
};
use crate::{
    cli::{
        FilterArgs, UsageError,
        each_host::{Output, each_host},
        input_args::InputArgs,
        namespaces::{Namespaces, NetnsArg},
        shared_args::{AttachArg, FormatArg, TextOrJson, WatchTimeArg},
    },
    filter::Filter,
    flow::TupleKey,
    observe::{Joined, Summary},
    render::{
        printed::{Form, Printed},
        what_if::Report,
    },
    schema::{self, Command},
    timeouts::{GENERIC, Protocol},
    waiting,
    what_if::{Incident, TimeoutTrial, TrialObserver},
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
            event_loop.block_on(replayed::simulate(args, input, output, trial.clone(), filter))
        });
    }
    event_loop.block_on(async {
        let namespaces = Namespaces::open(&args.netns)?;
        live::is_handled(protocol, &namespaces).await?;
        live::simulate(args, trial, filter, &namespaces).await
    })
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
