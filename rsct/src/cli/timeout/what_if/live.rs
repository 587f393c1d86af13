//! With live traffic.

use std::{ops::ControlFlow, process::ExitCode};

use anyhow::Context as _;
use rsct_common::Tuple;

use super::{Last, WhatIfArgs, printed, report};
use crate::{
    cli::{
        each_host::Output,
        namespaces::Namespaces,
        reading,
        timeout::{exit_code, protocol},
        watching::{listing_error, records_have, report_watching},
    },
    filter::{Filter, Plan},
    flow::TupleKey,
    kernel::{clock, netns::Selector},
    netlink::{conntrack::Entry, dump},
    observe::{Joined, Model, Selection},
    provenance::Listing,
    source::live::{Limits, Live, LiveOptions},
    timeouts::{Protocol, TimeoutValues},
    what_if::{Simulation, TimeoutTrial, TrialObserver},
};

/// Size of the ring buffer, which holds the records that arrive while tables are read.
const RING_BYTES: u32 = 8 << 20;

/// Checks that the kernel has a handler for the protocol.
pub(super) async fn is_handled(protocol: &'static Protocol, namespaces: &Namespaces) -> anyhow::Result<()> {
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

/// Simulates, and prints the report.
pub(super) async fn simulate(
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
            reading::entries(socket, dump::Table::Conntrack, &plan, &mut seeds).await?;
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
