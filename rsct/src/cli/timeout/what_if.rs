//! `rsct timeout what-if`: what would become of flows with other timeouts.

use std::{cell::RefCell, io, ops::ControlFlow, process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Args;
use rsct_common::Tuple;

use super::{Output, assignments, exit_code, print, protocol};
use crate::{
    cli::{
        FilterArgs, UsageError, duration,
        namespaces::{Namespaces, NetnsArg},
        probing::{AttachArg, Attaching, Probing, why_not},
    },
    filter::{Filter, Plan},
    flow::table::TupleKey,
    kernel::clock,
    netlink::{conntrack::Entry, dump},
    provenance::{Listing, ListingError},
    render::what_if::Report,
    schema::Command,
    timeouts::{GENERIC, Protocol, Values},
    trace::{
        output::{Format, Output as Lines},
        run::Limits,
    },
    waiting,
    what_if::{Incident, Simulation, Trial, Watching},
};

/// Tell what would become of flows if a protocol's timeouts were others, by watching real traffic. Nothing is changed.
///
/// Told are the entries that would be gone by now, those that are gone and would not be, how many the table would hold,
/// and which flows would have been cut off: their entry would have gone, and then another packet came. It is as if the
/// values had been in force since each entry's last packet. Entries under a policy keep the policy's timeouts.
#[derive(Debug, Args)]
pub(super) struct WhatIfArgs {
    /// The protocol: tcp, udp, udplite, icmp, icmpv6, sctp, dccp, gre, or generic for all others.
    #[arg(value_name = "PROTO")]
    of: String,
    /// A state, as `rsct timeout show` names it, and the seconds to be tried; or with a unit, such as 5m, 2h or 1d.
    #[arg(value_name = "STATE=SECS", required = true)]
    states: Vec<String>,
    #[command(flatten)]
    filter: FilterArgs,
    /// How long to watch: 10s, 5m, 1h. Ctrl-C ends it before, with what was seen until then.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration::parse)]
    duration: Duration,
    /// How many flows of each kind to list.
    #[arg(long, value_name = "N", default_value_t = 20)]
    list: usize,
    /// How the result looks. JSON lists every flow.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// How to attach.
    #[arg(long, value_enum, default_value_t)]
    attach: AttachArg,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Room for what comes while tables are read.
const RING_BYTES: u32 = 8 << 20;

/// Runs `rsct timeout what-if`.
pub(super) fn run(args: &WhatIfArgs) -> anyhow::Result<ExitCode> {
    let protocol = protocol::named(&args.of)?;
    let assignments = assignments::parse(protocol, &args.states)?;
    let trial = Trial {
        protocol,
        values: assignments
            .iter()
            .map(|(state, seconds)| (state.attribute, u64::from(*seconds) * 1000))
            .collect(),
    };
    let filter = of_protocol(args.filter.filter()?, protocol)?;
    let namespaces = Namespaces::open(&args.netns)?;
    waiting::event_loop()?.block_on(async {
        is_handled(protocol, &namespaces).await?;
        watch(args, trial, filter, &namespaces).await
    })
}

/// Checks that the kernel has a handler for the protocol.
async fn is_handled(protocol: &'static Protocol, namespaces: &Namespaces) -> anyhow::Result<()> {
    namespaces
        .visit(async |netns, socket| {
            let mut values = Values {
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

/// The filter, which asks for no other protocol than the one that is tried.
fn of_protocol(mut filter: Filter, protocol: &Protocol) -> Result<Filter, UsageError> {
    let asked = filter.proto.map(|number| Protocol::of_number(number).number);
    if asked.is_some_and(|asked| asked != protocol.number) {
        return Err(UsageError(format!(
            "--proto: the timeouts of {} are tried, which other protocols don't have",
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
    trial: Trial,
    filter: Filter,
    namespaces: &Namespaces,
) -> anyhow::Result<ExitCode> {
    let mut probing = Probing::start(&Attaching {
        filter,
        netns: args.netns.name(),
        everywhere: false,
        with_causes: false,
        form: args.attach.form(),
        ring_bytes: RING_BYTES,
        with_refresh: true,
        log_bpf: false,
        shows_at_once: false,
        show_hooks: false,
    })?;
    let mut watching = Watching::new(Simulation::new(trial), probing.ticks);
    let mut listing = Listing::start(args.attach.form_beside()).map_err(|error| match error {
        ListingError::Session(error) => why_not(error),
        error => error.into(),
    })?;
    seed(namespaces, filter, &mut listing, &mut watching).await?;
    let lost_listing = listing.lost();
    drop(listing);

    let json = args.output == Output::Json;
    let format = Format::WhatIf {
        watching: Box::new(watching),
        json,
    };
    let mut lines = Lines::new(format, io::stdout());
    let written = lines.header(Some(Command::TimeoutWhatIf));
    let join = RefCell::new(probing.join(lines, filter.details, None));
    join.borrow_mut().wrote(written);
    if !json {
        message!(
            "watching for {} s; Ctrl-C ends it before …",
            args.duration.as_secs_f64()
        );
    }
    let limits = Limits {
        duration: Some(args.duration),
    };
    let summary = probing.run(&join, &limits).await?;
    let Format::WhatIf { watching, .. } = join.into_inner().output.into_format() else {
        unreachable!("it was made with this format");
    };
    let mut there = There {
        filter,
        watching: &watching,
        netns: 0,
        keys: Vec::new(),
        others: 0,
        before: (0, 0),
    };
    let all_went_well = namespaces
        .visit(async |netns, socket| {
            there.netns = netns.inode as u32;
            let query = dump::Query::default();
            dump::entries(socket, &query, &mut there).await?;
            Ok(())
        })
        .await?;
    let mut incidents: Vec<Incident> = Vec::new();
    let (keys, others) = (std::mem::take(&mut there.keys), there.others);
    let totals = watching
        .simulation()
        .end(clock::monotonic_ns(), keys, |incident| incidents.push(incident));
    incidents.sort_by_key(|incident| std::cmp::Reverse(incident.weight_ms()));
    let report = Report {
        trial: watching.simulation().trial(),
        watched: summary.elapsed,
        started_ns: probing.started_ns,
        totals,
        others,
        lost: lost_listing + summary.lost_total(),
        incidents: &incidents,
        most: args.list,
        show_netns: namespaces.are_named(),
    };
    let mut out = Vec::new();
    if json {
        report.json(&mut out);
    } else {
        report.text(&mut out);
    }
    print(&out)?;
    namespaces.tell_of_hidden();
    Ok(exit_code(all_went_well))
}

/// Takes in the entries that are there before anything is watched.
async fn seed(
    namespaces: &Namespaces,
    filter: Filter,
    listing: &mut Listing,
    watching: &mut Watching,
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
        .context("reading the entries that are there before")?;
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
    watching: &'a mut Watching,
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

    /// An entry that is taken twice is the same.
    fn restart(&mut self) -> bool {
        true
    }
}

/// The table at the end.
struct There<'a> {
    filter: Filter,
    watching: &'a Watching,
    netns: u32,
    keys: Vec<TupleKey>,
    /// Entries that are not what is tried.
    others: u64,
    before: (usize, u64),
}

impl dump::Sink for There<'_> {
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
