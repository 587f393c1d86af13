//! The hooks of every command, attached until the diagnosis is printed.

use rsct_common::record::CauseFamily;

use crate::{
    kernel::{btf::KernelTypes, symbols},
    probe::{
        cause_hooks,
        hooks::{self, At, Stage},
        layout::Layout,
        object::{CAUSES, LATENCY, Object, TRACE},
        proof::Unproven,
        scope::Scope,
        session::{Form, HookReport, How, Options, Session, SessionError, Settings},
    },
};

use super::{Hook, Obstacle};

/// Nothing is recorded, so both have the smallest size that the kernel accepts for any page size.
const RING_BYTES: u32 = 1 << 16;
const BIRTHS: u32 = 64;
/// No namespace has this inode number: the eBPF programs reject every packet.
const NO_NETNS: u32 = u32::MAX;

/// The command that `can_trace` describes.
const TRACE_COMMAND: &str = "trace";

/// Keeps the eBPF programs attached until the diagnosis is printed: detaching takes seconds on some kernels.
#[derive(Default)]
pub struct Held(Vec<Session>);

/// The hooks of a command.
struct Part {
    command: &'static str,
    object: &'static Object,
    hooks: Vec<&'static hooks::Hook>,
}

impl Part {
    fn of_trace() -> Self {
        Self {
            command: TRACE_COMMAND,
            object: &TRACE,
            hooks: hooks::HOOKS.to_vec(),
        }
    }

    /// The commands whose hooks `rsct trace` does not need.
    fn others() -> [Self; 3] {
        [
            Self {
                command: "list",
                object: &TRACE,
                hooks: hooks::DUMP_HOOKS.to_vec(),
            },
            Self {
                command: "why",
                object: &CAUSES,
                hooks: cause_hooks::of(&CauseFamily::ALL),
            },
            Self {
                command: "latency",
                object: &LATENCY,
                hooks: hooks::LATENCY_HOOKS.iter().collect(),
            },
        ]
    }

    /// The hooks whose functions exist in this kernel. For a single topic, an essential hook without its function is an
    /// error; here the other hooks are tried as well.
    fn only_in(&self, types: &KernelTypes) -> Vec<&'static hooks::Hook> {
        let has = |hook: &&&'static hooks::Hook| in_btf(types, hook) != Some(false);
        self.hooks.iter().filter(has).copied().collect()
    }

    /// The result for each hook; without `reports`, attaching was not tried.
    fn told(&self, types: Option<&KernelTypes>, reports: Option<&[HookReport]>) -> Vec<Hook> {
        let told = |hook: &&'static hooks::Hook| {
            let in_btf = types.and_then(|types| in_btf(types, hook));
            let report =
                reports.and_then(|reports| reports.iter().find(|report| std::ptr::eq(report.hook, *hook)));
            let absent = reports.is_some() && in_btf == Some(false);
            Hook {
                command: self.command,
                function: hook.function,
                attached: report
                    .map(|report| report.how)
                    .or(absent.then_some(How::Not))
                    .map(How::name),
                why_not_better: report
                    .map(|report| report.why_not_better.clone())
                    .unwrap_or_default(),
                in_btf,
                shows: hook.shows,
                essential: self.command == TRACE_COMMAND && hook.essential,
            }
        };
        self.hooks.iter().map(told).collect()
    }
}

/// Returns whether BTF describes the hooked function; `None` for a tracepoint, which is no function.
fn in_btf(types: &KernelTypes, hook: &hooks::Hook) -> Option<bool> {
    let of_function = hook.kprobe.iter().all(|program| program.at != At::Tracepoint);
    of_function.then(|| types.func(hook.function).is_ok_and(|func| func.is_some()))
}

/// Attaches the hooks of every command if it is `worth_trying`, and tests whether the kernel runs the attached
/// programs.
pub fn tried(
    types: Option<&KernelTypes>,
    worth_trying: bool,
    held: &mut Held,
) -> (Option<Obstacle>, Option<bool>, Vec<Hook>) {
    let try_with = types.filter(|_| worth_trying);
    let trace = Part::of_trace();
    let (obstacle, reports) = match try_with {
        None => (Some(Obstacle::NotTried), None),
        Some(types) => {
            let (obstacle, reports) = attached(trace.object, &trace.hooks, types, held);
            (obstacle, Some(reports))
        }
    };
    let mut all = trace.told(types, reports.as_deref());
    for part in Part::others() {
        let reports = try_with.map(|types| attached(part.object, &part.only_in(types), types, held).1);
        all.extend(part.told(types, reports.as_deref()));
    }
    explain(&mut all);
    let (obstacle, run) = match held.0.iter().find_map(|session| session.prove().err()) {
        _ if held.0.is_empty() => (obstacle, None),
        None => (obstacle, Some(true)),
        Some(unproven @ Unproven::NotRun { .. }) => (
            obstacle.or(Some(Obstacle::NotRun(unproven.to_string()))),
            Some(false),
        ),
        Some(Unproven::Untested(_)) => (obstacle, None),
    };
    (obstacle, run, all)
}

/// Attaches to `wanted`.
fn attached(
    object: &'static Object,
    wanted: &[&'static hooks::Hook],
    types: &KernelTypes,
    held: &mut Held,
) -> (Option<Obstacle>, Vec<HookReport>) {
    let layout = match Layout::resolve(types, object) {
        Ok(layout) => layout,
        Err(error) => return (Some(Obstacle::Types(error.to_string())), Vec::new()),
    };
    let options = Options {
        form: Form::Best,
        ring_bytes: RING_BYTES,
        births: BIRTHS,
        log_bpf: false,
        left_out: Vec::new(),
        globals: Vec::new(),
        map_sizes: Vec::new(),
        scope: Scope {
            netns: Some(NO_NETNS),
            ..Scope::default()
        },
    };
    match Session::start(object, wanted, types, &layout, &options) {
        Ok(mut session) => {
            let settings = Settings {
                types,
                layout: &layout,
                options: &options,
            };
            session.attach(Stage::Second, settings, |_| true);
            session.attach(Stage::Last, settings, |_| true);
            let reports = std::mem::take(&mut session.hooks);
            held.0.push(session);
            (None, reports)
        }
        Err(error) => {
            let obstacle = Obstacle::Attaching(error.to_string());
            let reports = match error {
                SessionError::Essential { hooks, .. } => hooks,
                SessionError::Layout(_) | SessionError::Maps(_) | SessionError::Stopped => Vec::new(),
            };
            (Some(obstacle), reports)
        }
    }
}

/// Replaces the errors of functions without BTF: that they lack the expected parameters is true but no explanation.
fn explain(hooks: &mut [Hook]) {
    let unexplained = |hook: &&mut Hook| {
        hook.in_btf == Some(false) && hook.attached.is_some_and(|how| how == How::Not.name())
    };
    let mut missing: Vec<&mut Hook> = hooks.iter_mut().filter(unexplained).collect();
    if missing.is_empty() {
        return;
    }
    let names: Vec<&str> = missing.iter().map(|hook| hook.function).collect();
    let Ok(fates) = symbols::fates(&names) else {
        return;
    };
    for (hook, fate) in missing.iter_mut().zip(fates) {
        hook.why_not_better = vec![fate.why_not_in_btf(hook.function)];
    }
}
