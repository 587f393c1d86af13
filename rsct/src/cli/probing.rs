//! A trace as several commands start it: the session of eBPF programs, and the ctnetlink dumps next to it.

use std::{cell::RefCell, io::Write, time::Duration};

use anyhow::Context as _;

use super::UsageError;
use crate::{
    filter::{Details, Filter},
    flow::FlowTable,
    kernel::{
        btf::KernelTypes,
        clock,
        conntrack::Conntrack,
        facts::{self, Lockdown},
        hz::Hz,
        interrupt::Signals,
        netns::Selector,
        privileges::{Capability, Privileges},
    },
    plural,
    probe::{
        hooks::{HOOKS, Stage},
        layout::Layout,
        object::TRACE,
        ring::Ring,
        scope::Scope,
        session::{Form, HookReport, How, Options, Session, SessionError, Settings},
    },
    provenance::{KnownTimeouts, Listing, ListingError},
    trace::{
        authority::Authority,
        join::{Counts, Join},
        output::Output,
        run::{self, Limits},
        summary::Summary,
        whys::Whys,
    },
};

/// Parameters of a trace.
pub(super) struct TraceOptions<'a> {
    /// The flows in scope.
    pub(super) filter: Filter,
    /// The value of `--netns`.
    pub(super) netns: Option<&'a str>,
    /// Report packets and entries of all namespaces, whichever are dumped.
    pub(super) everywhere: bool,
    /// Form of the programs.
    pub(super) form: Form,
    /// Size of the ring buffer.
    pub(super) ring_bytes: u32,
    /// Attach the refresh hook.
    pub(super) with_refresh: bool,
    /// Report the causes of drops and deletions.
    pub(super) with_causes: bool,
    /// Print the diagnostics of the eBPF programs.
    pub(super) log_bpf: bool,
    /// Report packets while the hooks of entries are still being attached.
    pub(super) reports_early: bool,
    /// Print every hook, and not only those that are not attached.
    pub(super) show_hooks: bool,
}

/// Running eBPF programs, and the ctnetlink dumps next to them.
pub(super) struct Probing {
    pub(super) session: Session,
    pub(super) authority: Authority,
    pub(super) ticks: Hz,
    /// Monotonic time at which all hooks were attached.
    pub(super) started_ns: u64,
    /// Form and scope of the programs that report causes, if any.
    whys: Option<(Form, Scope)>,
    // For hooks that are attached later.
    types: KernelTypes,
    layout: Layout,
    options: Options,
    show_hooks: bool,
    signals: Signals,
}

impl Probing {
    /// Attaches the programs. Needs a running event loop, which keeps signals that arrive before [`run`](Self::run).
    pub(super) fn start(with: &TraceOptions<'_>) -> anyhow::Result<Self> {
        let signals = Signals::listen().context("cannot listen for signals")?;
        let types = KernelTypes::open()?;
        let layout = Layout::resolve(&types, &TRACE)?;
        let hz = Hz::of_running_kernel()?;
        if let Some(option) = with.filter.details.unknown_to_records() {
            return Err(UsageError(format!(
                "--{option}: packet records do not have this field; `rsct list` and `rsct watch` accept the option"
            ))
            .into());
        }
        let authority = Authority::open(Selector::from_option(with.netns), with.filter)?;
        let options = Options {
            form: with.form,
            ring_bytes: with.ring_bytes,
            births: births(),
            scope: Scope {
                netns: authority.only_netns().filter(|_| !with.everywhere),
                filter: with.filter,
            },
            log_bpf: with.log_bpf,
            left_out: left_out(with.with_refresh),
            globals: Vec::new(),
            map_sizes: Vec::new(),
        };
        let mut session = Session::start(&TRACE, HOOKS, &types, &layout, &options).map_err(start_error)?;
        let whys = with.with_causes.then(|| (with.form, options.scope.clone()));
        if !with.reports_early {
            let settings = Settings {
                types: &types,
                layout: &layout,
                options: &options,
            };
            session.attach(Stage::Second, settings, |_| true);
        }
        report_hooks(&session.hooks, with.show_hooks);
        Ok(Self {
            session,
            authority,
            ticks: hz,
            started_ns: clock::monotonic_ns(),
            whys,
            types,
            layout,
            options,
            show_hooks: with.show_hooks,
            signals,
        })
    }

    /// The model that joins records and dumps.
    pub(super) fn join<W: Write>(&self, output: Output<W>, details: Details, most: Option<u64>) -> Join<W> {
        Join {
            table: FlowTable::new(self.ticks.get()),
            timeouts: KnownTimeouts::new(self.ticks),
            counts: Counts::default(),
            output,
            started_ns: self.started_ns,
            details: (!details.is_empty()).then_some(details),
            most: most.unwrap_or(u64::MAX),
            write_error: None,
            whys: match &self.whys {
                Some((form, scope)) => Whys::of(*form, scope.clone()),
                None => Whys::default(),
            },
        }
    }

    /// Runs until the duration is over, a signal arrives, or the output has enough.
    pub(super) async fn run<W: Write>(
        &mut self,
        join: &RefCell<Join<W>>,
        limits: &Limits,
    ) -> anyhow::Result<Summary> {
        let settings = Settings {
            types: &self.types,
            layout: &self.layout,
            options: &self.options,
        };
        let show_hooks = self.show_hooks;
        let attach = |session: &mut Session, stage, go_on: &mut dyn FnMut(&mut Ring) -> bool| {
            let first = session.attach(stage, settings, go_on);
            report_hooks(&session.hooks[first..], show_hooks);
        };
        run::run(
            &mut self.session,
            &self.authority,
            join,
            limits,
            &mut self.signals,
            attach,
        )
        .await
        .context("cannot trace")
    }
}

/// Hooks that are not attached. The refresh hook runs for every packet, also for those that a filter rejects: with a
/// filter it needs `--refresh`.
fn left_out(with_refresh: bool) -> Vec<(&'static str, &'static str)> {
    const WHY: &str = "omitted because of the filter; --refresh attaches it";
    if with_refresh {
        Vec::new()
    } else {
        vec![("__nf_ct_refresh_acct", WHY)]
    }
}

/// Capacity of the map of birth times: the maximum number of entries, and a quarter for entries that are not in the table
/// yet, or no longer.
fn births() -> u32 {
    const LEAST: u32 = 1 << 16;
    const MOST: u32 = 1 << 22;
    let max: u32 = std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_max")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0);
    max.saturating_add(max / 4).clamp(LEAST, MOST)
}

/// The reason why the programs could not start, if it is known; else the error itself.
pub(super) fn start_error(error: SessionError) -> anyhow::Error {
    let missing: Vec<&str> = match Privileges::of_this_process() {
        Ok(held) => [Capability::Bpf, Capability::Perfmon]
            .into_iter()
            .filter(|capability| !held.has(*capability))
            .map(Capability::name)
            .collect(),
        Err(_) => Vec::new(),
    };
    if !missing.is_empty() {
        return anyhow::anyhow!("this process lacks {}: run rsct as root", missing.join(" and "));
    }
    if facts::lockdown() == Some(Lockdown::Confidentiality) {
        return anyhow::anyhow!("{}", facts::LOCKED_DOWN);
    }
    match Conntrack::here() {
        Conntrack::Absent => anyhow::anyhow!("conntrack is not loaded: run `modprobe nf_conntrack`"),
        Conntrack::Present(_) | Conntrack::Unknown(_) => error.into(),
    }
}

/// The reason why the program that reads the source of timeouts could not start.
pub(super) fn listing_error(error: ListingError) -> anyhow::Error {
    match error {
        ListingError::Session(error) => start_error(error),
        error => error.into(),
    }
}

/// Reports records that a listing lost.
pub(super) fn report_lost_records(listing: &Listing) {
    let lost = listing.lost();
    if lost != 0 {
        message!(
            "{} lost: the source of up to {} may be wrong",
            plural::count(lost, "record was", "records were"),
            plural::count(lost, "timeout", "timeouts")
        );
    }
}

/// Reports that a watch begins, which ends after `duration`.
pub(super) fn report_watching(duration: Duration) {
    message!("watching for {} s (Ctrl-C to stop) …", duration.as_secs_f64());
}

/// Prints the hooks that are not attached, or not in the best form; with `all`, every hook.
pub(super) fn report_hooks(hooks: &[HookReport], all: bool) {
    for report in hooks {
        if all || report.is_missed() {
            let mut text = format!("{:<32} {}", report.hook.function, report.how.name());
            if !report.why_not_better.is_empty() {
                text += &format!(" ({})", report.why_not_better.join("; "));
            }
            if report.how == How::Not {
                text += &format!("; not shown: {}", report.hook.shows);
            }
            message!("{text}");
        }
    }
}
