//! `rsct metrics`: metrics for Prometheus, over HTTP or in a file.

mod exporter;
mod outlet;
mod reading;
mod server;
mod textfile;
mod traced;

use std::{path::PathBuf, process::ExitCode, rc::Rc, time::Duration};

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use tokio::{
    task::LocalSet,
    time::{MissedTickBehavior, sleep},
};

use self::{exporter::Exporter, outlet::Outlet, traced::Traced};
use super::{
    latency,
    namespaces::NetnsArg,
    privileges_arg::PrivilegesArg,
    shared_args::{AttachArg, DurationArg, IntervalArg},
};
use crate::{
    confine::{Needs, Task},
    filter::Filter,
    kernel::{interrupt::Signals, netns::Selector},
    latency::By,
    plural,
    source::live::{Latency, LatencyOptions, Limits, Live, LiveOptions, StartError},
};

/// Size of the ring buffer: as small as 20 ms of packets allow, because it is resident.
const RING_BYTES: u32 = 4 << 20;

/// The default of `--interval`.
const INTERVAL: Duration = Duration::from_secs(15);

/// Export metrics for Prometheus, with causes
///
/// Answers GET /metrics on a loopback address, or writes a file at each interval: entries, the kernel's counters with 64 bits,
/// causes of drops, failed inserts, INVALID packets and deletions, the sources that create the most entries, and durations.
/// Labels have a bounded number of values; the number of series is printed at the start. The table is never dumped for a scrape.
/// --interval (15s) writes the file, and reads the kernel's counters also without a scrape.
///
/// If the eBPF programs cannot be attached, rsct reports the reason and exports the kernel's own counters.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct metrics
  rsct metrics --netns all --latency --listen 127.0.0.1:9477
  rsct metrics --textfile /var/lib/prometheus/node-exporter/rsct.prom")]
pub(super) struct MetricsArgs {
    /// Address and port that answer scrapes
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9477", value_parser = outlet::parse_address)]
    listen: std::net::SocketAddr,
    /// Allow --listen on other addresses than those of this host alone
    #[arg(long)]
    allow_remote: bool,
    /// Write FILE at each interval, in place of --listen
    ///
    /// For node_exporter's --collector.textfile.directory: FILE ends in `.prom` then. It is replaced as a whole.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["listen", "allow_remote"])]
    textfile: Option<PathBuf>,
    /// Also export the conntrack metrics of another exporter, under its names
    #[arg(long, value_name = "EXPORTER", value_enum)]
    compat: Option<Compat>,
    /// Number of sources with a series of their own
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(0..=1000))]
    top_sources: u16,
    #[command(flatten)]
    interval: IntervalArg,
    /// Also measure the durations of conntrack's functions
    #[arg(long)]
    latency: bool,
    #[command(flatten)]
    netns: NetnsArg,
    #[command(flatten)]
    duration: DurationArg,
    #[command(flatten)]
    attach: AttachArg,
    #[command(flatten)]
    privileges: PrivilegesArg,
}

/// Values of `--compat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Compat {
    /// The ten gauges `node_nf_conntrack_*` of node_exporter
    #[value(name = "node_exporter")]
    NodeExporter,
}

/// Runs `rsct metrics`.
pub(super) fn run(args: &MetricsArgs) -> anyhow::Result<ExitCode> {
    let event_loop = crate::waiting::event_loop()?;
    LocalSet::new().block_on(&event_loop, metrics(args))
}

async fn metrics(args: &MetricsArgs) -> anyhow::Result<ExitCode> {
    let outlet = Outlet::open(args.listen, args.allow_remote, args.textfile.as_deref()).await?;
    let selector = Selector::from_option(args.netns.name());
    let exporter = Rc::new(Exporter::new(exporter::Options {
        selector: selector.clone(),
        top_sources: args.top_sources,
        has_latency: args.latency,
        has_compat: args.compat.is_some(),
    })?);
    let entries = exporter.begin().await?;
    let mut needs = Needs::of(Task::Metrics, args.netns.name().is_some());
    if let Some(file) = &args.textfile {
        needs = needs.with_replaced(file);
    }
    let confinement = args.privileges.confinement_with(needs)?;
    let mut live = attach(args, selector)?;
    // Reports the end to the service manager when it is dropped; of programs, `live` does both once all are attached.
    let _started = match &mut live {
        Some(live) => {
            live.confine(confinement);
            None
        }
        None => confinement.apply()?,
    };
    let traced = live.as_ref().map(|live| Traced::new(&live.setup, entries));
    exporter.trace(traced.clone());
    let limit = plural::count(exporter.series_limit(), "series", "series");
    message!("metrics {}, at most {limit}", outlet.place());
    let interval = args.interval.interval.unwrap_or(INTERVAL);
    let serving = tokio::task::spawn_local(outlet.serve(Rc::clone(&exporter), interval));
    let ended = follow(live, traced, &exporter, args.duration.duration).await;
    serving.abort();
    ended?;
    Ok(ExitCode::SUCCESS)
}

/// Attaches the programs; none if that is not possible here, with a message.
fn attach(args: &MetricsArgs, netns: Selector) -> anyhow::Result<Option<Live>> {
    const ONLY: &str = "only the kernel's own counters are exported";
    let latency = match args.latency.then(|| measure(args, netns.clone())).transpose() {
        Ok(latency) => latency,
        Err(error) => {
            message!("durations are not measured: {}", super::sentence(&error));
            None
        }
    };
    let started = Live::start(LiveOptions {
        filter: Filter::default(),
        netns,
        everywhere: false,
        with_causes: true,
        form: args.attach.form(),
        ring_bytes: RING_BYTES,
        with_refresh: false,
        log_bpf: false,
        reports_early: false,
        show_hooks: false,
    });
    match started {
        Ok(live) => Ok(Some(match latency {
            Some(latency) => live.with_latency(latency),
            None => live,
        })),
        Err(error @ (StartError::Signals(_) | StartError::Netns(_))) => Err(error.into()),
        Err(error) => {
            message!("{ONLY}: {error}");
            Ok(None)
        }
    }
}

fn measure(args: &MetricsArgs, netns: Selector) -> anyhow::Result<Latency> {
    Ok(Latency::start(LatencyOptions {
        by: By::Outcome,
        filter: Filter::default(),
        filter_as_typed: Vec::new(),
        netns,
        netns_as_typed: args.netns.name().map(str::to_owned),
        slower_than_ns: None,
        every: Some(latency::RECORDED_EVERY),
        form: args.attach.form(),
        show_hooks: false,
    })?)
}

/// Follows the programs until a signal or the end of the duration; without programs, waits for that.
async fn follow(
    live: Option<Live>,
    traced: Option<Traced>,
    exporter: &Exporter,
    duration: Option<Duration>,
) -> anyhow::Result<()> {
    if let (Some(mut live), Some(mut traced)) = (live, traced) {
        match live.run(&mut traced, Limits { duration }).await {
            Ok(()) => return Ok(()),
            Err(error) => {
                exporter.trace(None);
                message!("only the kernel's own counters are exported: {error}");
            }
        }
    }
    let mut signals = Signals::listen().context("cannot listen for signals")?;
    let end = async {
        match duration {
            Some(duration) => sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = signals.any() => {}
        () = end => {}
    }
    Ok(())
}

/// Calls `work` now and at each interval.
async fn each(interval: Duration, mut work: impl AsyncFnMut()) {
    let mut tick = tokio::time::interval(interval);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        work().await;
    }
}
