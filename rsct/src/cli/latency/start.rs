//! Attaches the eBPF programs and sets their parameters.

use std::fs;

use anyhow::Context as _;
use rsct_common::latency::{Function, setting};

use super::LatencyArgs;
use crate::{
    filter::Filter,
    kernel::{
        btf::KernelTypes,
        netns::{self, Selector},
        symbols,
    },
    latency::By,
    probe::{
        hooks::{Hook, LATENCY_HOOKS},
        layout::Layout,
        object::LATENCY,
        overhead::{self, Overhead},
        proof::Unproven,
        scope::{GlobalValue, Scope},
        session::{Options, Session},
        tallies::Tallies,
    },
    source::live::{StartError, report_hooks},
};

/// Size of the ring buffer of slow calls.
const RING_BYTES: u32 = 4 << 20;
/// Size of the unused ring buffer, without `--slower-than`.
const LEAST_RING_BYTES: u32 = 4 << 10;
/// Number of measured functions.
const FUNCTIONS: u32 = Function::ALL.len() as u32;
/// Maximum number of protocols: more than conntrack has handlers for.
const PROTOCOLS: u32 = 32;
/// Capacity for namespaces created during the measurement.
const NEW_NAMESPACES: u32 = 32;
/// Maximum number of namespaces.
const MOST_NAMESPACES: u32 = 512;

/// Attached programs that measure.
pub(super) struct Measuring {
    pub(super) session: Session,
    pub(super) tallies: Tallies,
    pub(super) overhead: Result<Overhead, String>,
    /// Number of buckets of the table at the start; 0 if unknown.
    pub(super) table_buckets: u32,
    /// The only namespace in scope, if there is one.
    pub(super) only_netns: Option<u32>,
}

/// Attaches the programs, and measures their cost.
pub(super) fn start(args: &LatencyArgs, filter: Filter) -> anyhow::Result<Measuring> {
    let selector = Selector::from_option(args.netns.name());
    let only_netns = match &selector {
        Selector::All => None,
        one => netns::open(one)?
            .namespaces
            .first()
            .map(|netns| netns.inode as u32),
    };
    let by = args.by.by();
    let types = KernelTypes::open()?;
    let layout = Layout::resolve(&types, &LATENCY)?;
    let table_buckets = table_buckets();
    let locks = Locks::of(&types);
    let at = *locks.as_ref().unwrap_or(&Locks::default());
    let options = Options {
        form: args.attach.form(),
        ring_bytes: if args.slower_than.is_some() {
            RING_BYTES
        } else {
            LEAST_RING_BYTES
        },
        births: 1,
        scope: Scope {
            netns: only_netns,
            filter,
        },
        log_bpf: false,
        left_out: left_out(&locks),
        globals: vec![
            (setting::LOCKS, GlobalValue::Double(at.each)),
            (setting::LOCKS_BYTES, GlobalValue::Double(at.bytes)),
            (setting::ALL_LOCK, GlobalValue::Double(at.all)),
            (setting::BY, GlobalValue::Word(by.setting())),
            (
                setting::SLOWER_THAN_NS,
                GlobalValue::Double(args.slower_than.unwrap_or(0)),
            ),
            (setting::TABLE_BUCKETS, GlobalValue::Word(table_buckets)),
        ],
        map_sizes: match by {
            By::Proto => vec![("TALLIES_BY_KEY", FUNCTIONS * PROTOCOLS)],
            By::Netns => vec![("TALLIES_BY_KEY", FUNCTIONS * namespaces()?)],
            By::Outcome | By::Hook | By::Cpu => Vec::new(),
        },
    };
    let overhead = overhead::measure(&types, &layout, &options);
    let wanted: Vec<&'static Hook> = LATENCY_HOOKS.iter().collect();
    let mut session = Session::start(&LATENCY, &wanted, &types, &layout, &options).map_err(StartError::of)?;
    report_hooks(&session.hooks, args.show_hooks.show_hooks);
    match session.prove() {
        Err(error @ Unproven::NotRun { .. }) => return Err(error).context("cannot measure"),
        Err(error) => message!("{error}"),
        Ok(()) => {}
    }
    let tallies = Tallies::of(&mut session, by)?;
    Ok(Measuring {
        session,
        tallies,
        overhead,
        table_buckets,
        only_netns,
    })
}

/// Without the addresses of the table's locks, a contended lock cannot be identified.
fn left_out(locks: &Result<Locks, &'static str>) -> Vec<(&'static str, &'static str)> {
    let Err(why) = locks else { return Vec::new() };
    let slow_paths = LATENCY_HOOKS
        .iter()
        .map(|hook| hook.function)
        .filter(|function| function.ends_with("queued_spin_lock_slowpath"));
    slow_paths.map(|function| (function, *why)).collect()
}

/// Addresses of the table's locks.
#[derive(Clone, Copy, Debug, Default)]
struct Locks {
    /// The array's address, and its length.
    each: u64,
    bytes: u64,
    /// The lock that excludes all others.
    all: u64,
}

impl Locks {
    /// Looks the addresses up.
    fn of(types: &KernelTypes) -> Result<Self, &'static str> {
        const UNKNOWN: &str = "this kernel does not show the address of nf_conntrack_locks";
        /// `CONNTRACK_LOCKS` (include/net/netfilter/nf_conntrack_core.h).
        const COUNT: u64 = 1024;
        let names = ["nf_conntrack_locks", "nf_conntrack_locks_all_lock"];
        let found = symbols::addresses("nf_conntrack", &names).map_err(|_| UNKNOWN)?;
        let [Some(each), all] = found[..] else {
            return Err(UNKNOWN);
        };
        let size = types
            .struct_size("spinlock")
            .map_err(|_| "this kernel's BTF does not have the size of a spinlock")?;
        Ok(Self {
            each,
            bytes: COUNT * u64::from(size),
            // No lock has address 0.
            all: all.unwrap_or(0),
        })
    }
}

/// Capacity for namespaces.
fn namespaces() -> anyhow::Result<u32> {
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
