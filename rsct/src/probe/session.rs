//! A session: loaded and attached programs.

use std::os::fd::AsFd;

use aya::{
    Ebpf, EbpfLoader,
    maps::{Map, PerCpuArray},
};
use serde::{Deserialize, Serialize};
use zerocopy::IntoBytes as _;

use crate::kernel::{
    bpf_syscall,
    btf::KernelTypes,
    interrupt,
    kprobe_misses::{self, KprobeLinks},
};
use crate::records::{HookCounts, Skips};

use super::{
    attach::{Attaching, chain},
    detach,
    diagnostics::{self, Diagnostics},
    hooks::{Hook, Stage},
    layout::{Layout, LayoutError},
    multi::{self, Multi},
    object::Object,
    proof::{PROOF, Proof, Unproven},
    ring::Ring,
    scope::{GlobalValue, Scope},
    tracing::{self, Tracing},
};

/// The form of programs to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Form {
    /// The best form that attaches, for each hook.
    #[default]
    Best,
    /// fentry and fexit only.
    Fentry,
    /// kprobe and kretprobe only.
    Kprobe,
}

/// The options of a session.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// The form of programs to use.
    pub form: Form,
    /// Size of the ring: a power of two, at least a page.
    pub ring_bytes: u32,
    /// The capacity of the table of births.
    pub births: u32,
    /// The flows to record.
    pub scope: Scope,
    /// True to read the programs' diagnostics.
    pub log_bpf: bool,
    /// Hooks not to attach, and why.
    pub left_out: Vec<(&'static str, &'static str)>,
    /// Globals that only this object has.
    pub globals: Vec<(&'static str, GlobalValue)>,
    /// Capacities of maps that only this object has.
    pub map_sizes: Vec<(&'static str, u32)>,
}

/// The kernel and the options, which are the same for all stages of a session.
#[derive(Clone, Copy)]
pub(crate) struct Settings<'a> {
    /// The kernel's types.
    pub types: &'a KernelTypes,
    /// The offsets and argument positions.
    pub layout: &'a Layout,
    /// The options of the session.
    pub options: &'a Options,
}

/// How a hook is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    /// By fentry and fexit.
    Fentry,
    /// By kprobe and kretprobe.
    Kprobe,
    /// By kprobe and kretprobe, without perf events.
    KprobeMulti,
    /// By a tracepoint of the kernel.
    Tracepoint,
    /// Not at all.
    Not,
}

impl How {
    /// The name for users.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::KprobeMulti => "kprobe.multi",
            Self::Tracepoint => "tracepoint",
            Self::Not => "not attached",
        }
    }
}

/// A hook and the result of its attachment.
#[derive(Debug)]
pub(crate) struct HookReport {
    /// The hook.
    pub hook: &'static Hook,
    /// How it is attached.
    pub how: How,
    /// The reasons why better forms failed.
    pub why_not_better: Vec<String>,
    /// True if it is not attached on purpose, or because the kernel's BTF has no such function.
    pub is_expected: bool,
}

impl HookReport {
    /// True if the hook should be attached and is not.
    pub(crate) fn is_missed(&self) -> bool {
        self.how == How::Not && !self.is_expected
    }
}

impl HookCounts {
    /// Counts the hooks.
    pub(crate) fn of(hooks: &[HookReport]) -> Self {
        let count = |how| hooks.iter().filter(|report| report.how == how).count();
        Self {
            fentry: count(How::Fentry),
            kprobe: count(How::Kprobe) + count(How::KprobeMulti),
            tracepoint: count(How::Tracepoint),
            not: count(How::Not),
        }
    }
}

/// A session could not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SessionError {
    /// The kernel's types differ from those that the programs need.
    #[error(transparent)]
    Layout(#[from] LayoutError),
    /// The maps could not be created.
    #[error("cannot create the eBPF programs' maps: {0}")]
    Maps(String),
    /// An essential hook could not be attached.
    #[error("cannot attach to {function}: {why}")]
    Essential {
        /// The kernel function.
        function: &'static str,
        /// The attempts and their errors.
        why: String,
        /// Every hook up to this one.
        hooks: Vec<HookReport>,
    },
    /// A signal arrived, or the command ended.
    #[error("interrupted while attaching eBPF programs; all are detached again")]
    Stopped,
}

/// Attached programs.
pub(crate) struct Session {
    /// The ring of the programs' records.
    pub ring: Ring,
    /// Every hook, and how it is attached.
    pub hooks: Vec<HookReport>,
    /// The programs' diagnostics, if requested.
    pub diagnostics: Option<Diagnostics>,
    tracing: Vec<tracing::Attached>,
    /// The names of the kprobe programs among them.
    kprobes: Vec<&'static str>,
    kprobe_links: Option<KprobeLinks>,
    /// The kprobe programs that are attached without perf events, if that is needed.
    multi: Option<Result<Multi, String>>,
    /// True if the kernel counts their skipped runs.
    multi_is_counted: bool,
    /// The object whose fentry and fexit programs are loaded without aya.
    links: Tracing,
    /// The proof that attached programs run, once all are attached.
    proof: Option<Result<Proof, String>>,
    /// The hooks of later stages.
    pending: Vec<&'static Hook>,
    /// Owns the maps and the kprobes.
    ebpf: Detaching,
}

/// An object whose kprobes a child process detaches.
struct Detaching(Ebpf);

impl Drop for Detaching {
    fn drop(&mut self) {
        detach::in_background();
    }
}

impl Session {
    /// Loads the programs of `object`, and attaches the hooks of the first stage that this kernel allows.
    pub(crate) fn start(
        object: &Object,
        wanted: &[&'static Hook],
        types: &KernelTypes,
        layout: &Layout,
        options: &Options,
    ) -> Result<Self, SessionError> {
        let _watch = interrupt::watch();
        let depth = match options.form {
            Form::Best => multi::depth_if_needed(types),
            Form::Fentry | Form::Kprobe => None,
        };
        let of_return = depth.as_ref().and_then(|depth| depth.as_ref().ok()).copied();
        let ebpf = create_maps(object, layout, options, of_return.unwrap_or(0))
            .map_err(|error| SessionError::Maps(chain(&error)))?;
        let mut ebpf = Detaching(ebpf);
        let linked: Vec<&Hook> = wanted.iter().copied().chain([&PROOF]).collect();
        let mut multi =
            depth.map(|depth| depth.and_then(|_| Multi::link(object, &ebpf.0, &linked, layout.cast)));
        let mut tracing =
            Tracing::link(object.trampolines, &ebpf.0, &linked, layout.cast).map_err(SessionError::Maps)?;
        let with = Settings {
            types,
            layout,
            options,
        };
        let mut attaching = Attaching::new(with, &mut ebpf.0, &mut tracing, multi.as_mut());
        let mut hooks = Vec::with_capacity(wanted.len());
        for hook in wanted.iter().copied().filter(|hook| hook.stage == Stage::First) {
            if interrupt::is_over() {
                return Err(SessionError::Stopped);
            }
            let report = attaching.hook(hook);
            if report.how == How::Not && hook.essential {
                let why = report.why_not_better.join("; ");
                hooks.push(report);
                return Err(SessionError::Essential {
                    function: hook.function,
                    why,
                    hooks,
                });
            }
            hooks.push(report);
        }
        let pending: Vec<&'static Hook> = wanted
            .iter()
            .copied()
            .filter(|hook| hook.stage != Stage::First)
            .collect();
        let proof = pending.is_empty().then(|| attaching.proof(&hooks));
        let Attaching {
            attached, kprobes, ..
        } = attaching;
        let ring = ring(&mut ebpf.0).map_err(SessionError::Maps)?;
        let diagnostics = options
            .log_bpf
            .then(|| Diagnostics::of(&mut ebpf.0))
            .transpose()
            .map_err(SessionError::Maps)?;
        Ok(Self {
            ring,
            hooks,
            diagnostics,
            tracing: attached,
            kprobe_links: kprobe_links(types, &ebpf.0, &kprobes),
            multi_is_counted: kprobe_misses::are_reported(types),
            multi,
            kprobes,
            links: tracing,
            proof,
            pending,
            ebpf,
        })
    }

    /// Attaches the hooks of a later stage. Before each it calls `go_on`, and stops if that returns false. Returns
    /// the index of the first in [`Session::hooks`].
    pub(crate) fn attach(
        &mut self,
        stage: Stage,
        with: Settings<'_>,
        mut go_on: impl FnMut(&mut Ring) -> bool,
    ) -> usize {
        let first = self.hooks.len();
        let (due, pending): (Vec<&'static Hook>, _) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition(|hook| hook.stage == stage);
        self.pending = pending;
        let mut attaching = Attaching::new(with, &mut self.ebpf.0, &mut self.links, self.multi.as_mut());
        let _watch = interrupt::watch();
        for hook in due {
            if interrupt::is_over() || !go_on(&mut self.ring) {
                break;
            }
            self.hooks.push(attaching.hook(hook));
        }
        if self.pending.is_empty() && !interrupt::is_over() {
            self.proof = Some(attaching.proof(&self.hooks));
        }
        let Attaching {
            attached, kprobes, ..
        } = attaching;
        self.tracing.extend(attached);
        if !kprobes.is_empty() {
            self.kprobes.extend(kprobes);
            self.kprobe_links = kprobe_links(with.types, &self.ebpf.0, &self.kprobes);
        }
        first
    }

    /// Proves that the kernel runs the attached programs, once all are attached.
    pub(crate) fn prove(&self) -> Result<(), Unproven> {
        match &self.proof {
            None => Err(Unproven::Untested("not all programs are attached yet".to_owned())),
            Some(Ok(proof)) => proof.check(),
            Some(Err(error)) => Err(Unproven::Untested(error.clone())),
        }
    }

    /// Returns a map that only this object has.
    pub(crate) fn take_map(&mut self, name: &str) -> Result<Map, String> {
        self.ebpf
            .0
            .take_map(name)
            .ok_or_else(|| format!("the object has no map {name}"))
    }

    /// Returns the number of skipped program runs so far.
    pub(crate) fn skips(&self) -> Skips {
        let fentry = self
            .tracing
            .iter()
            .map(|attached| recursion_misses(&attached.program));
        let kprobe = self.kprobes.iter().map(|program| {
            let misses = self.ebpf.0.program(program).and_then(|program| program.fd().ok());
            misses.map_or(0, recursion_misses)
        });
        let multi = match &self.multi {
            Some(Ok(multi)) => multi.attached.as_slice(),
            _ => &[],
        };
        let of_multi = multi
            .iter()
            .map(|attached| recursion_misses(attached.program()) + attached.missed());
        Skips {
            counted: fentry.chain(kprobe).chain(of_multi).sum::<u64>()
                + self.kprobe_links.as_ref().map_or(0, KprobeLinks::missed),
            uncounted: (!self.kprobes.is_empty() && self.kprobe_links.is_none())
                || (!multi.is_empty() && !self.multi_is_counted),
        }
    }
}

fn recursion_misses(program: impl AsFd) -> u64 {
    bpf_syscall::prog_info(program).map_or(0, |info| info.recursion_misses)
}

/// The links of the kprobes among `programs`, on a kernel that counts their missed runs.
fn kprobe_links(types: &KernelTypes, ebpf: &Ebpf, programs: &[&str]) -> Option<KprobeLinks> {
    if programs.is_empty() || !kprobe_misses::are_reported(types) {
        return None;
    }
    let ids: Option<Vec<u32>> = programs
        .iter()
        .map(|name| Some(bpf_syscall::prog_info(ebpf.program(name)?.fd().ok()?).ok()?.id))
        .collect();
    KprobeLinks::of(&ids?).ok()
}

pub(super) fn create_maps(
    object: &Object,
    layout: &Layout,
    options: &Options,
    depth_at_return: u64,
) -> Result<Ebpf, aya::EbpfError> {
    let offsets: Vec<(&'static str, u64)> = layout.globals().collect();
    let scope = options.scope.globals();
    let mut loader = EbpfLoader::new();
    loader
        .map_max_entries("RECORDS", options.ring_bytes)
        .map_max_entries("BIRTHS", options.births);
    for (name, value) in &offsets {
        loader.override_global(name, value, true);
    }
    // Only objects with kretprobes have it.
    loader.override_global(multi::DEPTH, &depth_at_return, false);
    for (name, value) in &scope {
        value.apply(name, &mut loader);
    }
    for (name, value) in &options.globals {
        value.apply(name, &mut loader);
    }
    for (name, entries) in &options.map_sizes {
        loader.map_max_entries(name, *entries);
    }
    let level = if options.log_bpf {
        diagnostics::ALL
    } else {
        diagnostics::OFF
    };
    // Not every object has diagnostics.
    loader.override_global(diagnostics::LEVEL, &level, false);
    match layout.cast {
        Some(cast) => loader.load(cast.link_object(object.bytes).as_bytes()),
        None => loader.load(object.bytes),
    }
}

fn ring(ebpf: &mut Ebpf) -> Result<Ring, String> {
    let records = ebpf.take_map("RECORDS").ok_or("the object has no map RECORDS")?;
    let Map::RingBuf(records) = records else {
        return Err("the object's map RECORDS is no ring".to_owned());
    };
    let lost = ebpf.take_map("LOST").ok_or("the object has no map LOST")?;
    let lost = PerCpuArray::try_from(lost).map_err(|error| chain(&error))?;
    Ring::new(records, lost).map_err(|error| format!("mapping the ring: {error}"))
}
