//! Collection of the diagnosis from the running kernel.

use rsct_common::field::{FIELDS, Need};

use crate::{
    confine::{self, GROUPS, Group},
    kernel::{
        btf::KernelTypes,
        conntrack, facts,
        hook_dump::HookDumpError,
        hz::Hz,
        privileges::{self, Capability as Cap},
        trial::{self, Refusal},
    },
    probe::{
        layout::{self, FieldOffset, LayoutError},
        object::TRACE,
    },
};

use super::{
    Argument, AttachedSessions, Btf, Capability, CommandGroup, Conntrack, Diagnosis, Field, Hooked, Kernel,
    Privileges, Programs, Sysctl, Trial, ctnetlink, hooks, verdict,
};

/// Conntrack modules with BTF.
const MODULES: [&str; 3] = ["nf_conntrack", "nf_nat", "nf_conntrack_netlink"];

const SYSCTLS: [(&str, &str); 3] = [
    ("nf_conntrack_acct", "packet and byte counters of new entries"),
    ("nf_conntrack_timestamp", "start and stop times of new entries"),
    (
        "nf_conntrack_events",
        "ctnetlink events, as printed by conntrack -E; rsct does not need them",
    ),
];

/// Collects the diagnosis. Attaches all hooks; dropping the second value detaches them.
pub(crate) fn gather() -> (Diagnosis, AttachedSessions) {
    let types = KernelTypes::open();
    let btf = btf(&types);
    let types = types.ok();
    let programs = Programs {
        fentry: types.as_ref().map(|types| trial(trial::fentry(types))),
        kprobe: trial(trial::kprobe()),
        kprobe_events: facts::has_kprobes(),
    };
    let (conntrack, conntrack_error) = match conntrack::Conntrack::here() {
        conntrack::Conntrack::Present(present) => (Some(conntrack(present)), None),
        conntrack::Conntrack::Unknown(why) => (None, Some(why)),
        _ => (None, None),
    };
    let worth_trying = programs.any_works() && (conntrack.is_some() || conntrack_error.is_some());
    let mut sessions = AttachedSessions::default();
    let attached = hooks::attach_all(types.as_ref(), worth_trying, &mut sessions);
    let mut diagnosis = Diagnosis {
        schema: crate::schema::VERSION,
        can_trace: attached.obstacle.is_none(),
        reason: None,
        kernel: kernel(),
        btf,
        privileges: privileges(),
        programs,
        ctnetlink: conntrack.is_some().then(ctnetlink::dump),
        conntrack,
        conntrack_error,
        programs_run: attached.programs_run.as_ref().ok().copied(),
        programs_run_error: attached.programs_run.err(),
        not_attached: attached.obstacle,
        hooks: attached.hooks,
        fields: types.as_ref().map(fields).unwrap_or_default(),
        arguments: types.as_ref().map(arguments).unwrap_or_default(),
    };
    diagnosis.reason = verdict::reason(&diagnosis);
    (diagnosis, sessions)
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
        capabilities: match &held {
            Ok(_) => Cap::ALL.into_iter().map(capability).collect(),
            Err(_) => Vec::new(),
        },
        groups: match &held {
            Ok(held) => GROUPS.iter().map(|group| group_of(group, held)).collect(),
            Err(_) => Vec::new(),
        },
        setcap: confine::setcap(),
        initial_user_namespace: held.as_ref().is_ok_and(|held| held.initial_user_namespace),
        error: held.err().map(|error| error.to_string()),
    }
}

fn group_of(group: &'static Group, held: &privileges::Privileges) -> CommandGroup {
    let lacks = group.needs.iter().filter(|capability| !held.has(**capability));
    CommandGroup {
        purpose: group.name,
        commands: group.commands,
        needs: group.needs.iter().map(|capability| capability.name()).collect(),
        lacks: lacks.map(|capability| capability.name()).collect(),
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

fn conntrack(present: conntrack::Present) -> Conntrack {
    let hooked = |answer: Result<bool, HookDumpError>| Hooked {
        hooked: answer.as_ref().ok().copied(),
        error: answer.err().map(|error| error.to_string()),
    };
    Conntrack {
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
    }
}

fn fields(types: &KernelTypes) -> Vec<Field> {
    let field = |field: &rsct_common::field::Field| {
        let (offset, absent) = match layout::place(types, field) {
            Ok(FieldOffset::At(offset)) => (Some(offset), None),
            Ok(FieldOffset::Absent(why)) => (None, Some(why)),
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

/// The verdict is printed once, at the end.
fn without_conclusion(error: LayoutError) -> String {
    match error {
        LayoutError::Missing { cause, .. } => cause.to_string(),
        LayoutError::Size { found, expected, .. } => {
            format!("{found} bytes here, but the eBPF programs read {expected}")
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
