//! Draws all metrics.

use std::collections::BTreeMap;

use rsct_common::{
    latency::Function,
    loss::Loss,
    names::{self, proto},
};

use crate::{
    causes::Cause,
    latency::{Reading, Tally},
    netlink::stats::counter,
    records::{HookCounts, Lost},
    snapshot::{Population, Snapshot},
};

use super::{
    compat,
    exposition::{Buckets, Exposition, Format, number},
    families as of,
    kernel::KernelCounts,
    namespaces::{Label, Namespaces, OTHER},
    process::Process,
    traffic::Traffic,
};

/// The bounds of histograms are the powers of two from 2^8 to 2^24 nanoseconds: 256 ns to 17 ms.
const OCTAVES: std::ops::RangeInclusive<u32> = 8..=24;
/// The number of these bounds.
pub(super) const BUCKETS: usize = 17;
/// The forms in which hooks are attached.
pub(super) const FORMS: usize = 4;
/// Protocols with their states: three with 10 states and an unknown one, and six without states.
pub(super) const STATES: usize = 3 * 11 + 6;
/// The state of protocols without states.
const STATELESS: &str = "none";

/// The figures of a moment.
#[derive(Debug)]
pub(crate) struct Now<'a> {
    /// The kernel's counters.
    pub kernel: &'a KernelCounts,
    /// The figures of the eBPF programs, while they are attached.
    pub trace: Option<TraceNow<'a>>,
    /// rsct's own.
    pub own: Own,
    /// The namespace of `--compat node_exporter`.
    pub compat: Option<Label>,
}

/// The figures of the eBPF programs.
#[derive(Debug)]
pub(crate) struct TraceNow<'a> {
    /// The snapshot.
    pub snapshot: &'a Snapshot,
    /// Figures by namespace and source.
    pub traffic: &'a Traffic,
    /// Lost records.
    pub lost: &'a Lost,
    /// Skipped runs of programs, and lost causes.
    pub skipped: u64,
    /// Lost causes.
    pub causes_lost: u64,
    /// Hooks.
    pub hooks: HookCounts,
    /// False if the kernel does not run the programs.
    pub run: bool,
    /// Durations of `--latency`.
    pub calls: Option<&'a Reading>,
}

/// rsct's own figures.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Own {
    /// CPU and memory.
    pub process: Process,
    /// Start, in seconds since 1970.
    pub started: f64,
    /// Scrapes.
    pub scrapes: u64,
    /// Disconnected clients.
    pub cut: u64,
    /// Duration of reading the kernel's counters.
    pub reading_s: f64,
    /// Largest number of series.
    pub series_limit: u64,
}

/// Returns whether a cause has a series: ordinary ones, such as a free tuple at the first try, have none.
pub(super) fn exported(cause: Cause) -> bool {
    !cause.is_ordinary()
}

/// All metrics as text.
pub(crate) fn draw(format: Format, now: &Now<'_>) -> Vec<u8> {
    let mut out = Exposition::new(format);
    kernel(&mut out, now);
    if let Some(trace) = &now.trace {
        totals(&mut out, trace, &now.kernel.namespaces);
        causes(&mut out, trace);
        states(&mut out, &trace.snapshot.population, &now.kernel.namespaces);
        durations(&mut out, trace);
    }
    own(&mut out, now);
    if let Some(label) = now.compat {
        let (stats, used) = now.kernel.of(label);
        compat::draw(&mut out, stats, used);
    }
    out.family(&of::SERIES);
    let series = out.series() + 1;
    out.gauge(&[], series as f64);
    out.finish()
}

fn kernel(out: &mut Exposition, now: &Now<'_>) {
    let kernel = now.kernel;
    let text = |label| kernel.namespaces.text(label);
    let since = Some(now.own.started);
    out.family(&of::ENTRIES);
    for (label, used) in kernel.uses() {
        out.gauge(&[text(label)], used.entries as f64);
    }
    out.family(&of::LIMIT);
    for (label, used) in kernel.uses() {
        // The limits of several tables have no meaning together.
        if let Some(limit) = used.limit.filter(|_| label != Label::Other) {
            out.gauge(&[text(label)], limit as f64);
        }
    }
    out.family(&of::STAT);
    for (label, stats) in kernel.totals() {
        for (number, total) in stats {
            if let Some(name) = counter::name(*number) {
                // Counted since the namespace exists, which the kernel does not report.
                out.count(&[text(label), name], *total, None);
            }
        }
    }
    out.family(&of::STAT_RESTARTS);
    out.count(&[], kernel.restarts(), since);
    out.family(&of::READ_ERRORS);
    out.count(&[], kernel.read_errors(), since);
    out.family(&of::NAMESPACES);
    out.gauge(&[], kernel.namespaces.count() as f64);
}

fn totals(out: &mut Exposition, trace: &TraceNow<'_>, namespaces: &Namespaces) {
    let traffic = trace.traffic;
    let since = Some(traffic.since);
    let text = |label| namespaces.text(label);
    out.family(&of::PACKETS);
    for (label, figures) in traffic.by_label() {
        out.count(&[text(label)], figures.packets, since);
    }
    out.family(&of::BYTES);
    for (label, figures) in traffic.by_label() {
        out.count(&[text(label)], figures.bytes, since);
    }
    out.family(&of::CREATED);
    for (label, figures) in traffic.by_label() {
        out.count(&[text(label)], figures.created, since);
    }
    out.family(&of::SOURCES);
    for source in traffic.sources.series() {
        let addr = source.addr.to_string();
        out.count(&[text(source.label), &addr], source.created, Some(source.since));
    }
    out.count(&["", OTHER], traffic.sources.others(), since);
    let totals = &trace.snapshot.totals;
    for (family, total) in [
        (&of::INSERTED, totals.inserted),
        (&of::DELETED, totals.deleted),
        (&of::INVALID, totals.invalid),
        (&of::DROPPED, totals.dropped),
        (&of::FAILED, totals.insert_failed),
    ] {
        out.family(family);
        out.count(&[], total, since);
    }
}

/// Every cause from the start, so that the first occurrence is growth.
fn causes(out: &mut Exposition, trace: &TraceNow<'_>) {
    let counts: std::collections::HashMap<Cause, u64> = trace
        .snapshot
        .causes
        .iter()
        .map(|of| (of.cause, of.count))
        .collect();
    out.family(&of::CAUSES);
    for cause in Cause::all().filter(|cause| exported(*cause)) {
        let count = counts.get(&cause).copied().unwrap_or(0);
        let labels = [cause.family().name(), cause.name()];
        out.count(&labels, count, Some(trace.traffic.since));
    }
}

fn states(out: &mut Exposition, population: &Population, namespaces: &Namespaces) {
    let mut counts: BTreeMap<(Label, &str, &str), u64> = BTreeMap::new();
    for (class, count) in population.classes() {
        let protocol = proto::name(class.protonum).unwrap_or(OTHER);
        let state = names::state(class.protonum, class.state).unwrap_or(STATELESS);
        let label = namespaces.of(class.netns);
        *counts.entry((label, protocol, state)).or_default() += count;
    }
    out.family(&of::STATES);
    for ((label, protocol, state), count) in counts {
        out.gauge(&[namespaces.text(label), protocol, state], count as f64);
    }
}

fn durations(out: &mut Exposition, trace: &TraceNow<'_>) {
    let since = Some(trace.traffic.since);
    out.family(&of::DURATION);
    out.histogram(&[], &buckets(&trace.snapshot.durations), since);
    let Some(calls) = trace.calls else { return };
    out.family(&of::CALLS);
    for function in Function::ALL {
        let total = calls.total(function);
        if total.count() != 0 {
            out.histogram(&[function.name()], &buckets(&total), since);
        }
    }
}

/// Cumulates a histogram. Its buckets begin at powers of two, so that no value is divided.
fn buckets(tally: &Tally) -> Buckets {
    let up_to = OCTAVES.map(|octave| {
        let bound_ns = 1u64 << octave;
        let below = tally.buckets().take_while(|(_, beyond, _)| *beyond <= bound_ns);
        (bound_ns as f64 / 1e9, below.map(|(_, _, count)| count).sum())
    });
    Buckets {
        up_to: up_to.collect(),
        count: tally.count(),
        sum: tally.sum() as f64 / 1e9,
    }
}

fn own(out: &mut Exposition, now: &Now<'_>) {
    let own = &now.own;
    let since = Some(own.started);
    out.family(&of::BUILD);
    out.gauge(&[env!("CARGO_PKG_VERSION")], 1.0);
    out.family(&of::TRACING);
    out.gauge(
        &[],
        f64::from(u8::from(now.trace.as_ref().is_some_and(|trace| trace.run))),
    );
    let counts_causes = |trace: &TraceNow<'_>| trace.snapshot.causes_since_ns.is_some();
    out.family(&of::TRACING_CAUSES);
    out.gauge(
        &[],
        f64::from(u8::from(now.trace.as_ref().is_some_and(counts_causes))),
    );
    if let Some(trace) = &now.trace {
        let HookCounts {
            fentry,
            kprobe,
            tracepoint,
            not,
        } = trace.hooks;
        out.family(&of::HOOKS);
        let forms: [(&str, usize); FORMS] = [
            ("fentry", fentry),
            ("kprobe", kprobe),
            ("tracepoint", tracepoint),
            ("none", not),
        ];
        for (form, count) in forms {
            out.gauge(&[form], count as f64);
        }
        let since = Some(trace.traffic.since);
        out.family(&of::LOST);
        for loss in Loss::ALL {
            out.count(&[loss.name()], trace.lost.of(loss as usize), since);
        }
        out.count(&["skipped_program"], trace.skipped, since);
        out.count(&["cause"], trace.causes_lost, since);
    }
    out.family(&of::CPU);
    out.counter(&[], &number(own.process.cpu_s), since);
    out.family(&of::MEMORY);
    out.gauge(&[], own.process.resident_bytes as f64);
    out.family(&of::START);
    out.gauge(&[], own.started);
    out.family(&of::SCRAPES);
    out.count(&[], own.scrapes, since);
    out.family(&of::CUT);
    out.count(&[], own.cut, since);
    out.family(&of::READING);
    out.gauge(&[], own.reading_s);
    out.family(&of::SERIES_LIMIT);
    out.gauge(&[], own.series_limit as f64);
}

#[cfg(test)]
mod tests;
