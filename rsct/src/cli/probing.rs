//! What commands that attach probes have in common.

use std::{cell::RefCell, io::Write};

use anyhow::Context as _;
use clap::ValueEnum;

use super::UsageError;
use crate::{
    filter::{Details, Filter},
    flow::{Table, observation::Ticks},
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
    probe::{
        hooks::{HOOKS, Stage},
        layout::Layout,
        object::TRACE,
        ring::Ring,
        scope::Scope,
        session::{Form, HookReport, How, Options, Session, SessionError, Settings},
    },
    provenance::Known,
    trace::{
        authority::Authority,
        join::{Counts, Join},
        output::Output,
        run::{self, Limits},
        summary::Summary,
        whys::Whys,
    },
};

/// How to attach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum AttachArg {
    /// For each hook the best that works.
    #[default]
    Auto,
    /// fentry and fexit only.
    Fentry,
    /// kprobe and kretprobe only.
    Kprobe,
}

impl AttachArg {
    /// What it means.
    pub(super) fn form(self) -> Form {
        match self {
            Self::Auto => Form::Best,
            Self::Fentry => Form::Fentry,
            Self::Kprobe => Form::Kprobe,
        }
    }
}

impl AttachArg {
    /// What it means for a listing's one hook, beside the hooks that were meant: some kernels' fentry takes fewer
    /// arguments than its function has.
    pub(super) fn form_beside(self) -> Form {
        match self {
            Self::Kprobe => Form::Kprobe,
            Self::Auto | Self::Fentry => Form::Best,
        }
    }
}

/// What programs are attached with.
pub(super) struct Attaching<'a> {
    /// Which flows.
    pub(super) filter: Filter,
    /// What `--netns` asks for.
    pub(super) netns: Option<&'a str>,
    /// Whether packets and entries of all namespaces are told of, whichever are dumped.
    pub(super) everywhere: bool,
    /// How.
    pub(super) form: Form,
    /// Size of the ring.
    pub(super) ring_bytes: u32,
    /// Whether refreshes are looked at.
    pub(super) with_refresh: bool,
    /// Whether it is told why packets and entries come to their end.
    pub(super) with_causes: bool,
    /// Whether the programs' own diagnostics are wanted.
    pub(super) log_bpf: bool,
    /// Whether packets are shown while entries' hooks are still being attached.
    pub(super) shows_at_once: bool,
    /// Whether each hook is told of, and not only those that are not attached.
    pub(super) show_hooks: bool,
}

/// Programs at work on packets, and the authority beside them.
pub(super) struct Probing {
    pub(super) session: Session,
    pub(super) authority: Authority,
    pub(super) ticks: Ticks,
    /// When all were attached, by the monotonic clock.
    pub(super) started_ns: u64,
    /// What is attached with to tell causes, if that is asked for.
    whys: Option<(Form, Scope)>,
    // For the later stages.
    types: KernelTypes,
    layout: Layout,
    options: Options,
    show_hooks: bool,
    signals: Signals,
}

impl Probing {
    /// Attaches them. Needs a running event loop, which keeps the signals that arrive in the meantime.
    pub(super) fn start(with: &Attaching<'_>) -> anyhow::Result<Self> {
        let signals = Signals::listen().context("cannot listen for signals")?;
        let types = KernelTypes::open()?;
        let layout = Layout::resolve(&types, &TRACE)?;
        let hz = Hz::of_running_kernel()?;
        if let Some(option) = with.filter.details.unknown_to_records() {
            return Err(UsageError(format!(
                "--{option}: the packets' records do not tell of it; `rsct list` and `rsct watch` take it"
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
        let mut session = Session::start(&TRACE, HOOKS, &types, &layout, &options).map_err(why_not)?;
        let whys = with.with_causes.then(|| (with.form, options.scope.clone()));
        if !with.shows_at_once {
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
            ticks: Ticks(hz.get()),
            started_ns: clock::monotonic_ns(),
            whys,
            types,
            layout,
            options,
            show_hooks: with.show_hooks,
            signals,
        })
    }

    /// Where both sources are held together.
    pub(super) fn join<W: Write>(&self, output: Output<W>, details: Details, most: Option<u64>) -> Join<W> {
        Join {
            table: Table::new(self.ticks.0),
            timeouts: Known::new(self.ticks),
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

    /// Runs until the end of time, a signal, or an output that no longer wants any.
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

/// The refresh hook costs every packet, also those that a filter rejects, and tells little that the
/// timeouts before and after don't: with a filter it is left out unless asked for.
fn left_out(with_refresh: bool) -> Vec<(&'static str, &'static str)> {
    const WHY: &str = "left out because of the filter, --refresh puts it back";
    if with_refresh {
        Vec::new()
    } else {
        vec![("__nf_ct_refresh_acct", WHY)]
    }
}

/// How many flows' births to keep: as many as conntrack may have entries, and some that are not in its
/// table yet or any more.
fn births() -> u32 {
    const LEAST: u32 = 1 << 16;
    const MOST: u32 = 1 << 22;
    let max: u32 = std::fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_max")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0);
    max.saturating_add(max / 4).clamp(LEAST, MOST)
}

/// What stands behind the kernel's refusal, where that is known: what follows from it would say less.
pub(super) fn why_not(error: SessionError) -> anyhow::Error {
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

/// Hooks that are not attached, or not in the best way, are named; all of them where that is asked for.
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
