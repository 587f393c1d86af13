//! Starts the session of eBPF programs.

use crate::{
    confine::{self, Confinement},
    filter::Filter,
    kernel::{
        btf::{BtfError, KernelTypes},
        clock,
        conntrack::Conntrack,
        facts::{self, Lockdown},
        hz::{Hz, HzError},
        interrupt::Signals,
        netns::{NetnsError, Selector},
        privileges::{Capability, Privileges},
    },
    observe::Setup,
    probe::{
        hooks::{HOOKS, Stage},
        layout::{Layout, LayoutError},
        object::TRACE,
        scope::Scope,
        session::{Form, Options, Session, SessionError, Settings},
    },
};

use super::{
    authority::Authority,
    causes::Causes,
    facts::Facts,
    hooks::report_hooks,
    latency::{Latency, NextToTrace},
};

/// Parameters of a trace.
#[derive(Clone, Debug)]
pub(crate) struct LiveOptions {
    /// The flows in scope.
    pub filter: Filter,
    /// The network namespaces in scope.
    pub netns: Selector,
    /// Report packets and entries of all namespaces, whichever are dumped.
    pub everywhere: bool,
    /// Form of the programs.
    pub form: Form,
    /// Size of the ring buffer.
    pub ring_bytes: u32,
    /// Attach the refresh hook.
    pub with_refresh: bool,
    /// Report the causes of drops and deletions.
    pub with_causes: bool,
    /// Print the diagnostics of the eBPF programs.
    pub log_bpf: bool,
    /// Report packets while the hooks of entries are still being attached.
    pub reports_early: bool,
    /// Print every hook, and not only those that are not attached.
    pub show_hooks: bool,
}

/// Running eBPF programs, and the ctnetlink dumps next to them.
pub(crate) struct Live {
    pub(super) session: Session,
    pub(super) authority: Authority,
    pub(super) causes: Causes,
    pub(super) facts: Facts,
    pub(super) latency: NextToTrace,
    pub(super) signals: Signals,
    /// None once they are attached: the kernel's types take megabytes.
    pub(super) hooks: Option<LaterHooks>,
    pub(super) confinement: Option<Confinement>,
    /// What a model has to know.
    pub setup: Setup,
}

/// Parameters of hooks that are attached later.
pub(super) struct LaterHooks {
    types: KernelTypes,
    layout: Layout,
    options: Options,
    show: bool,
}

/// The programs cannot start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// Signals cannot be received.
    #[error("cannot listen for signals: {0}")]
    Signals(#[from] std::io::Error),
    /// The kernel's types cannot be read.
    #[error(transparent)]
    Types(#[from] BtfError),
    /// They lack something that the programs need.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The duration of a jiffy is unknown.
    #[error(transparent)]
    Hz(#[from] HzError),
    /// A namespace does not exist, or may not be entered.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// A capability is missing.
    #[error("this process lacks {0}: run rsct as root, or run `{setcap}` once as root", setcap = confine::setcap())]
    Privileges(String),
    /// The kernel is locked down.
    #[error("{}", facts::LOCKED_DOWN)]
    LockedDown,
    /// Conntrack is not loaded.
    #[error("conntrack is not loaded: run `modprobe nf_conntrack`")]
    NoConntrack,
    /// The programs cannot be loaded or attached.
    #[error(transparent)]
    Session(SessionError),
}

impl StartError {
    /// The reason why the programs could not start, if it is known; else the error itself.
    pub(crate) fn of(error: SessionError) -> Self {
        let missing: Vec<&str> = match Privileges::of_this_process() {
            Ok(held) => [Capability::Bpf, Capability::Perfmon]
                .into_iter()
                .filter(|capability| !held.has(*capability))
                .map(Capability::name)
                .collect(),
            Err(_) => Vec::new(),
        };
        if !missing.is_empty() {
            return Self::Privileges(missing.join(" and "));
        }
        if facts::lockdown() == Some(Lockdown::Confidentiality) {
            return Self::LockedDown;
        }
        match Conntrack::here() {
            Conntrack::Absent => Self::NoConntrack,
            Conntrack::Present(_) | Conntrack::Unknown(_) => Self::Session(error),
        }
    }
}

impl Live {
    /// Attaches the programs. Needs a running event loop, which keeps signals that arrive before [`run`](Self::run).
    pub(crate) fn start(with: LiveOptions) -> Result<Self, StartError> {
        let signals = Signals::listen()?;
        let types = KernelTypes::open()?;
        let layout = Layout::resolve(&types, &TRACE)?;
        let hz = Hz::of_running_kernel()?;
        let likely = with.netns.clone();
        let authority = Authority::open(with.netns, with.filter)?;
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
        let mut session = Session::start(&TRACE, HOOKS, &types, &layout, &options).map_err(StartError::of)?;
        let causes = match with.with_causes {
            true => Causes::of(with.form, options.scope.clone()),
            false => Causes::default(),
        };
        if !with.reports_early {
            let settings = Settings {
                types: &types,
                layout: &layout,
                options: &options,
            };
            session.attach(Stage::Second, settings, |_| true);
        }
        report_hooks(&session.hooks, with.show_hooks);
        let setup = Setup {
            hz,
            started_ns: clock::monotonic_ns(),
            with_causes: with.with_causes,
            only_netns: authority.only_netns(),
            is_unfiltered: authority.is_unfiltered(),
        };
        Ok(Self {
            session,
            authority,
            causes,
            facts: Facts::of(likely),
            latency: NextToTrace::default(),
            signals,
            hooks: Some(LaterHooks {
                types,
                layout,
                options,
                show: with.show_hooks,
            }),
            confinement: None,
            setup,
        })
    }
}

impl Live {
    /// Drops privileges once all programs are attached.
    pub(crate) fn confine(&mut self, confinement: Confinement) {
        // Later there are no privileges to attach them with.
        self.causes.keep_attached(confinement.drops());
        self.confinement = Some(confinement);
    }

    /// Also measures durations, with programs that are attached already.
    pub(crate) fn with_latency(mut self, latency: Latency) -> Self {
        self.latency = NextToTrace::of(latency);
        self
    }
}

impl LaterHooks {
    /// Attaches the hooks of a stage. Before each, `go_on` is called; it returns whether to continue.
    pub(super) fn attach(
        &self,
        session: &mut Session,
        stage: Stage,
        go_on: impl FnMut(&mut crate::probe::ring::Ring) -> bool,
    ) {
        let settings = Settings {
            types: &self.types,
            layout: &self.layout,
            options: &self.options,
        };
        let first = session.attach(stage, settings, go_on);
        report_hooks(&session.hooks[first..], self.show);
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
