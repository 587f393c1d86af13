//! Attaches the programs that measure, and sets their parameters.

use std::{collections::HashSet, fs, time::Duration};

use rsct_common::latency::{Function, setting};

use super::{Latency, LatencyError, locks};
use crate::{
    filter::Filter,
    kernel::{
        btf::KernelTypes,
        hz::Hz,
        netns::{self, NetnsError, Selector},
    },
    latency::{Begins, By, MeasuredHook},
    probe::{
        hooks::{Hook, LATENCY_HOOKS},
        layout::Layout,
        object::LATENCY,
        overhead,
        proof::Unproven,
        scope::{GlobalValue, Scope},
        session::{Form, HookReport, How, Options, Session},
        tallies::Tallies,
    },
    source::live::{StartError, report_hooks},
};

/// Size of the ring buffer of slow calls.
const RING_BYTES: u32 = 4 << 20;
/// Size of the unused ring buffer, without slow calls.
const LEAST_RING_BYTES: u32 = 4 << 10;
/// Number of measured functions.
const FUNCTIONS: u32 = Function::ALL.len() as u32;
/// Maximum number of protocols: more than conntrack has handlers for.
const PROTOCOLS: u32 = 32;
/// Capacity for namespaces created during the measurement.
const NEW_NAMESPACES: u32 = 32;
/// Maximum number of namespaces.
const MOST_NAMESPACES: u32 = 512;

/// Parameters of a measurement.
#[derive(Clone, Debug)]
pub(crate) struct LatencyOptions {
    /// The key that groups durations.
    pub by: By,
    /// The flows in scope.
    pub filter: Filter,
    /// The filter's options without their dashes, and their values as typed.
    pub filter_as_typed: Vec<(String, String)>,
    /// The namespaces in scope.
    pub netns: Selector,
    /// The same as it was typed.
    pub netns_as_typed: Option<String>,
    /// Report slower calls, each with its flow and kernel stack.
    pub slower_than_ns: Option<u64>,
    /// The time between two readings; none for one at the end.
    pub every: Option<Duration>,
    /// Form of the programs.
    pub form: Form,
    /// Print every hook, and not only those that are not attached.
    pub show_hooks: bool,
}

impl Latency {
    /// Attaches the programs, and measures their cost.
    pub(crate) fn start(with: LatencyOptions) -> Result<Self, LatencyError> {
        let only_netns = only_netns(&with.netns).map_err(StartError::from)?;
        let types = KernelTypes::open().map_err(StartError::from)?;
        let layout = Layout::resolve(&types, &LATENCY).map_err(StartError::from)?;
        let hz = Hz::of_running_kernel().map_err(StartError::from)?;
        let table_buckets = table_buckets();
        let options = options(&with, only_netns, &types, table_buckets)?;
        let overhead = overhead::measure(&types, &layout, &options);
        let wanted: Vec<&'static Hook> = LATENCY_HOOKS.iter().collect();
        let mut session =
            Session::start(&LATENCY, &wanted, &types, &layout, &options).map_err(StartError::of)?;
        report_hooks(&session.hooks, with.show_hooks);
        match session.prove() {
            Err(error @ Unproven::NotRun { .. }) => return Err(error.into()),
            Err(error) => message!("{error}"),
            Ok(()) => {}
        }
        let tallies = Tallies::of(&mut session, with.by)?;
        let begins = Begins {
            time_ns: 0,
            by: with.by,
            every_ns: with
                .every
                .map_or(0, |every| u64::try_from(every.as_nanos()).unwrap_or(u64::MAX)),
            netns: only_netns,
            netns_name: with.netns_as_typed,
            filter: with.filter_as_typed,
            slower_than_ns: with.slower_than_ns,
            hooks: session.hooks.iter().map(measured).collect(),
            overhead,
            table_buckets,
            hz,
        };
        Ok(Self {
            session,
            tallies,
            begins,
            every: with.every,
            due: None,
            symbols: None,
            named: HashSet::new(),
        })
    }
}

fn only_netns(selector: &Selector) -> Result<Option<u32>, NetnsError> {
    if matches!(selector, Selector::All) {
        return Ok(None);
    }
    let found = netns::open(selector)?;
    Ok(found.namespaces.first().map(|netns| netns.inode as u32))
}

fn options(
    with: &LatencyOptions,
    only_netns: Option<u32>,
    types: &KernelTypes,
    table_buckets: u32,
) -> Result<Options, LatencyError> {
    let locks = locks::Locks::of(types);
    let at = *locks.as_ref().unwrap_or(&locks::Locks::default());
    let slower_than_ns = with.slower_than_ns.unwrap_or(0);
    Ok(Options {
        form: with.form,
        ring_bytes: match slower_than_ns {
            0 => LEAST_RING_BYTES,
            _ => RING_BYTES,
        },
        births: 1,
        scope: Scope {
            netns: only_netns,
            filter: with.filter,
        },
        log_bpf: false,
        left_out: locks::left_out(&locks),
        globals: vec![
            (setting::LOCKS, GlobalValue::Double(at.each)),
            (setting::LOCKS_BYTES, GlobalValue::Double(at.bytes)),
            (setting::ALL_LOCK, GlobalValue::Double(at.all)),
            (setting::BY, GlobalValue::Word(with.by.setting())),
            (setting::SLOWER_THAN_NS, GlobalValue::Double(slower_than_ns)),
            (setting::TABLE_BUCKETS, GlobalValue::Word(table_buckets)),
        ],
        map_sizes: match with.by {
            By::Proto => vec![("TALLIES_BY_KEY", FUNCTIONS * PROTOCOLS)],
            By::Netns => vec![("TALLIES_BY_KEY", FUNCTIONS * namespaces()?)],
            By::Outcome | By::Hook | By::Cpu => Vec::new(),
        },
    })
}

fn measured(report: &HookReport) -> MeasuredHook {
    MeasuredHook {
        function: report.hook.function.to_owned(),
        shows: report.hook.shows.to_owned(),
        attached: (report.how != How::Not).then(|| report.how.name().to_owned()),
        reasons: report.why_not_better.clone(),
    }
}

/// Capacity for namespaces.
fn namespaces() -> Result<u32, StartError> {
    let there = netns::open(&Selector::All)?.namespaces.len();
    let there = u32::try_from(there).unwrap_or(MOST_NAMESPACES);
    Ok(there.saturating_add(NEW_NAMESPACES).min(MOST_NAMESPACES))
}

/// Number of buckets of the table; 0 if unknown.
pub(super) fn table_buckets() -> u32 {
    [
        "/proc/sys/net/netfilter/nf_conntrack_buckets",
        "/sys/module/nf_conntrack/parameters/hashsize",
    ]
    .iter()
    .find_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok())
    .unwrap_or(0)
}
