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
pub(crate) struct AttachedSessions(Vec<Session>);

/// Result of attaching the hooks of every command.
pub(super) struct HooksResult {
    /// The reason why `rsct trace` does not work; `None` if it works.
    pub obstacle: Option<Obstacle>,
    /// True if the kernel runs attached programs; `Err` has the reason why this is unknown.
    pub programs_run: Result<bool, String>,
    /// Every hook of every command.
    pub hooks: Vec<Hook>,
}

/// The hooks of a command.
struct CommandHooks {
    command: &'static str,
    object: &'static Object,
    hooks: Vec<&'static hooks::Hook>,
}

impl CommandHooks {
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
    fn existing(&self, types: &KernelTypes) -> Vec<&'static hooks::Hook> {
        let has = |hook: &&&'static hooks::Hook| in_btf(types, hook) != Some(false);
        self.hooks.iter().filter(has).copied().collect()
    }

    /// The result for each hook; without `reports`, attaching was not tried.
    fn results(&self, types: Option<&KernelTypes>, reports: Option<&[HookReport]>) -> Vec<Hook> {
        let result = |hook: &&'static hooks::Hook| {
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
        self.hooks.iter().map(result).collect()
    }
}

/// Returns whether BTF describes the hooked function; `None` for a tracepoint, which is no function.
fn in_btf(types: &KernelTypes, hook: &hooks::Hook) -> Option<bool> {
    let of_function = hook.kprobe.iter().all(|program| program.at != At::Tracepoint);
    of_function.then(|| types.func(hook.function).is_ok_and(|func| func.is_some()))
}

/// Attaches the hooks of every command if it is `worth_trying`, and tests whether the kernel runs the attached
/// programs.
pub(super) fn attach_all(
    types: Option<&KernelTypes>,
    worth_trying: bool,
    sessions: &mut AttachedSessions,
) -> HooksResult {
    let try_with = types.filter(|_| worth_trying);
    let trace = CommandHooks::of_trace();
    let (obstacle, reports) = match try_with {
        None => (Some(Obstacle::NotTried), None),
        Some(types) => {
            let (obstacle, reports) = attach(trace.object, &trace.hooks, types, sessions);
            (obstacle, Some(reports))
        }
    };
    let mut all = trace.results(types, reports.as_deref());
    for command in CommandHooks::others() {
        let reports =
            try_with.map(|types| attach(command.object, &command.existing(types), types, sessions).1);
        all.extend(command.results(types, reports.as_deref()));
    }
    explain(&mut all);
    let (obstacle, programs_run) = match sessions.0.iter().find_map(|session| session.prove().err()) {
        _ if sessions.0.is_empty() => (obstacle, Err("no hook is attached".to_owned())),
        None => (obstacle, Ok(true)),
        Some(unproven @ Unproven::NotRun { .. }) => (
            obstacle.or(Some(Obstacle::NotRun(unproven.to_string()))),
            Ok(false),
        ),
        Some(Unproven::Untested(reason)) => (obstacle, Err(format!("the test failed: {reason}"))),
    };
    HooksResult {
        obstacle,
        programs_run,
        hooks: all,
    }
}

/// Attaches the `wanted` hooks.
fn attach(
    object: &'static Object,
    wanted: &[&'static hooks::Hook],
    types: &KernelTypes,
    sessions: &mut AttachedSessions,
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
            sessions.0.push(session);
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
