//! Asks the running kernel everything that a diagnosis holds.

use rsct_common::field::{FIELDS, Need};

use crate::{
    kernel::{
        btf::KernelTypes,
        conntrack, facts,
        hook_dump::HookDumpError,
        hz::Hz,
        privileges::{self, Capability as Cap},
        symbols,
        trial::{self, Refusal},
    },
    probe::{
        hooks::{DUMP_HOOKS, HOOKS},
        layout::{self, Layout, LayoutError, Place},
        object::TRACE,
        scope::Scope,
        session::{Form, HookReport, How, Options, Session, SessionError},
    },
};

use super::{
    Argument, Btf, Capability, Conntrack, Diagnosis, Field, Hook, Hooked, Kernel, Obstacle, Privileges,
    Programs, Sysctl, Trial, ctnetlink, verdict,
};

/// Nothing is recorded, so both are as small as the kernel takes them on any page size.
const RING_BYTES: u32 = 1 << 16;
const BIRTHS: u32 = 64;
/// No namespace has this inode number: what attaches lets nothing through.
const NO_NETNS: u32 = u32::MAX;

/// Modules of conntrack that have types.
const MODULES: [&str; 3] = ["nf_conntrack", "nf_nat", "nf_conntrack_netlink"];

const SYSCTLS: [(&str, &str); 3] = [
    (
        "nf_conntrack_acct",
        "packet and byte counters of entries made from then on",
    ),
    (
        "nf_conntrack_timestamp",
        "start and stop times of entries made from then on",
    ),
    (
        "nf_conntrack_events",
        "ctnetlink's own events, which conntrack -E shows; rsct needs none",
    ),
];

/// Finds everything out. Attaches for a moment, and lets go.
pub fn gather() -> Diagnosis {
    let types = KernelTypes::open();
    let btf = btf(&types);
    let types = types.ok();
    let programs = Programs {
        fentry: types.as_ref().map(|types| trial(trial::fentry(types))),
        kprobe: trial(trial::kprobe()),
        kprobe_events: facts::has_kprobes(),
    };
    let conntrack = conntrack();
    let tried = match &types {
        Some(types) if programs.any_works() && conntrack.is_some() => attach(types),
        _ => Tried::not(),
    };
    let mut diagnosis = Diagnosis {
        can_trace: tried.obstacle.is_none(),
        reason: None,
        kernel: kernel(),
        btf,
        privileges: privileges(),
        programs,
        ctnetlink: conntrack.is_some().then(ctnetlink::dump),
        conntrack,
        not_attached: tried.obstacle,
        hooks: hooks(types.as_ref(), tried.reports),
        fields: types.as_ref().map(fields).unwrap_or_default(),
        arguments: types.as_ref().map(arguments).unwrap_or_default(),
    };
    diagnosis.reason = verdict::reason(&diagnosis);
    diagnosis
}

fn kernel() -> Kernel {
    let hz = Hz::of_running_kernel();
    Kernel {
        release: facts::release(),
        hz: hz.as_ref().ok().map(|hz| hz.get()),
        hz_error: hz.err().map(|error| error.to_string()),
        jit: facts::has_jit(),
        lockdown: facts::lockdown().map(|mode| match mode {
            facts::Lockdown::None => "none",
            facts::Lockdown::Integrity => "integrity",
            facts::Lockdown::Confidentiality => "confidentiality",
        }),
    }
}

fn btf(types: &Result<KernelTypes, impl ToString>) -> Btf {
    let has = |name: &&str| types.as_ref().is_ok_and(|types| types.has_module(name));
    Btf {
        readable: types.is_ok(),
        error: types.as_ref().err().map(ToString::to_string),
        modules: MODULES.into_iter().filter(has).collect(),
    }
}

fn privileges() -> Privileges {
    let held = privileges::Privileges::of_this_process();
    let capability = |capability: Cap| Capability {
        name: capability.name(),
        needed_for: capability.needed_for(),
        to_trace: matches!(capability, Cap::Bpf | Cap::Perfmon),
        held: held.as_ref().is_ok_and(|held| held.has(capability)),
    };
    Privileges {
        capabilities: match held {
            Ok(_) => Cap::ALL.into_iter().map(capability).collect(),
            Err(_) => Vec::new(),
        },
        initial_user_namespace: held.as_ref().is_ok_and(|held| held.initial_user_namespace),
        error: held.err().map(|error| error.to_string()),
    }
}

fn trial(result: Result<(), Refusal>) -> Trial {
    let refusal = result.err();
    Trial {
        accepted: refusal.is_none(),
        answer: refusal.as_ref().map(Refusal::brief),
        not_permitted: refusal.as_ref().and_then(Refusal::errno) == Some(libc::EPERM),
        refusal: refusal.map(|refusal| refusal.to_string()),
    }
}

fn conntrack() -> Option<Conntrack> {
    let conntrack::Conntrack::Present(present) = conntrack::Conntrack::here() else {
        return None;
    };
    let hooked = |answer: Result<bool, HookDumpError>| Hooked {
        hooked: answer.as_ref().ok().copied(),
        error: answer.err().map(|error| error.to_string()),
    };
    Some(Conntrack {
        module: present.module,
        ipv4: hooked(present.ipv4),
        ipv6: hooked(present.ipv6),
        entries: present.entries,
        limit: present.limit,
        sysctls: SYSCTLS
            .into_iter()
            .map(|(name, switches)| Sysctl {
                name,
                value: conntrack::sysctl(name),
                switches,
            })
            .collect(),
    })
}

/// What came of attaching.
struct Tried {
    obstacle: Option<Obstacle>,
    reports: Vec<HookReport>,
}

impl Tried {
    fn not() -> Self {
        Self::stopped(Obstacle::NotTried)
    }

    fn stopped(obstacle: Obstacle) -> Self {
        Self {
            obstacle: Some(obstacle),
            reports: Vec::new(),
        }
    }
}

fn attach(types: &KernelTypes) -> Tried {
    let layout = match Layout::resolve(types, &TRACE) {
        Ok(layout) => layout,
        Err(error) => return Tried::stopped(Obstacle::Types(error.to_string())),
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
    let start = |hooks| {
        let mut session = Session::start(&TRACE, hooks, types, &layout, &options)?;
        session.attach_late(types, &layout, &options);
        Ok(session)
    };
    match start(HOOKS) {
        Ok(session) => Tried {
            obstacle: None,
            // What a listing attaches to is one of its own.
            reports: session
                .hooks
                .into_iter()
                .chain(reports_of(start(DUMP_HOOKS)))
                .collect(),
        },
        Err(error) => Tried {
            obstacle: Some(Obstacle::Attaching(error.to_string())),
            reports: reports_of(Err(error)),
        },
    }
}

fn reports_of(started: Result<Session, SessionError>) -> Vec<HookReport> {
    match started {
        Ok(session) => session.hooks,
        Err(SessionError::Essential { hooks, .. }) => hooks,
        Err(SessionError::Layout(_) | SessionError::Maps(_)) => Vec::new(),
    }
}

fn hooks(types: Option<&KernelTypes>, mut reports: Vec<HookReport>) -> Vec<Hook> {
    let of_traces = HOOKS.iter().map(|hook| (hook, hook.essential));
    // A trace does without.
    let of_listings = DUMP_HOOKS.iter().map(|hook| (hook, false));
    let mut hooks: Vec<Hook> = of_traces
        .chain(of_listings)
        .map(|(hook, essential)| {
            let report = reports
                .iter()
                .position(|report| report.hook.function == hook.function)
                .map(|index| reports.swap_remove(index));
            Hook {
                function: hook.function,
                attached: report.as_ref().map(|report| report.how.name()),
                why_not_better: report.map(|report| report.why_not_better).unwrap_or_default(),
                in_btf: types.map(|types| types.func(hook.function).is_ok_and(|func| func.is_some())),
                shows: hook.shows,
                essential,
            }
        })
        .collect();
    explain(&mut hooks);
    hooks
}

/// Says what became of functions that the types do not describe: that they have no such parameters
/// is true of them and explains nothing.
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
        hook.why_not_better = vec![match fate.exact.as_slice() {
            [] => fate.to_string(),
            _ => "the function is there, but this kernel's BTF does not describe it".to_owned(),
        }];
    }
}

fn fields(types: &KernelTypes) -> Vec<Field> {
    let field = |field: &rsct_common::field::Field| {
        let (offset, absent) = match layout::place(types, field) {
            Ok(Place::At(offset)) => (Some(offset), None),
            Ok(Place::Absent(why)) => (None, Some(why)),
            Err(error) => (None, Some(without_conclusion(error))),
        };
        Field {
            of: field.of,
            path: field.path,
            offset,
            bytes: field.bytes,
            required: field.need == Need::Required,
            absent,
        }
    };
    FIELDS.iter().map(field).collect()
}

/// The verdict comes once, at the end.
fn without_conclusion(error: LayoutError) -> String {
    match error {
        LayoutError::Missing { cause, .. } => cause.to_string(),
        LayoutError::Size { found, expected, .. } => {
            format!("{found} bytes here, the programs read {expected}")
        }
        other => other.to_string(),
    }
}

fn arguments(types: &KernelTypes) -> Vec<Argument> {
    let arguments = layout::arguments(types, TRACE.arguments).unwrap_or_default();
    arguments
        .into_iter()
        .map(|(argument, position)| Argument {
            function: argument.function,
            name: argument.name,
            position,
        })
        .collect()
}
