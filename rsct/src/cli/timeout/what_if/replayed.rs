//! With the traffic of a recording.

use anyhow::Context as _;

use super::{Last, WhatIfArgs, printed, report};
use crate::{
    cli::{
        each_host::Output,
        input_args::{InputArgs, netns_of},
    },
    filter::Filter,
    observe::{Joined, Model, Selection},
    source::{Source, live::Limits, recorded::table},
    timeouts::{Setter, TimeoutSource},
    what_if::{Simulation, TimeoutTrial, TrialObserver},
};

/// Simulates, and prints the report.
pub(super) async fn simulate(
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
