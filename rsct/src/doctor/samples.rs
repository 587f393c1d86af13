//! Diagnoses for tests.

use super::{
    Argument, Btf, Capability, CommandGroup, Conntrack, Diagnosis, Dump, Field, Hook, Hooked, Kernel,
    Obstacle, Privileges, Programs, Sysctl, Trial,
};
use crate::kernel::privileges::Capability as Cap;

/// A machine on which tracing works.
pub(crate) fn tracing() -> Diagnosis {
    Diagnosis {
        schema: crate::schema::VERSION,
        can_trace: true,
        reason: None,
        kernel: Kernel {
            release: "6.12.95+deb12-amd64".to_owned(),
            hz: Some(250),
            hz_error: None,
            jit: Some(true),
            lockdown: Some("none"),
        },
        btf: Btf {
            readable: true,
            error: None,
            modules: vec!["nf_conntrack"],
        },
        privileges: Privileges {
            capabilities: Cap::ALL.into_iter().map(held).collect(),
            groups: vec![
                group("to trace", &["trace", "top"], &["CAP_BPF"], &[]),
                group(
                    "for other namespaces",
                    &["--netns"],
                    &["CAP_SYS_ADMIN", "CAP_SYS_PTRACE"],
                    &["CAP_SYS_PTRACE"],
                ),
            ],
            setcap: "setcap cap_bpf,cap_perfmon,cap_net_admin+ep /usr/bin/rsct".to_owned(),
            initial_user_namespace: true,
            error: None,
        },
        programs: Programs {
            fentry: Some(accepted()),
            kprobe: accepted(),
            kprobe_events: Some(true),
        },
        conntrack: Some(conntrack()),
        conntrack_error: None,
        ctnetlink: Some(Dump {
            works: true,
            error: None,
        }),
        programs_run: Some(true),
        programs_run_error: None,
        not_attached: None,
        hooks: vec![
            hook("trace", "nf_conntrack_in", true),
            hook("trace", "nf_conntrack_dccp_packet", false),
            hook("latency", "gc_worker", true),
        ],
        fields: vec![
            field("status", Some(128), 8),
            field("proto.tcp.state", Some(184), 1),
            field("mark", None, 4),
        ],
        arguments: vec![
            argument("nf_conntrack_in", "skb", Some(0)),
            argument("nf_conntrack_in", "return", Some(2)),
            argument("nf_conntrack_dccp_packet", "ct", None),
        ],
    }
}

/// A machine on which the kernel refuses tracing programs, even for root.
pub(crate) fn refusing() -> Diagnosis {
    let mut diagnosis = tracing();
    diagnosis.can_trace = false;
    diagnosis.programs.fentry = Some(refused());
    diagnosis.programs.kprobe = refused();
    diagnosis.programs_run = None;
    diagnosis.programs_run_error = Some("no hook is attached".to_owned());
    diagnosis.not_attached = Some(Obstacle::NotTried);
    for hook in &mut diagnosis.hooks {
        hook.attached = None;
        hook.why_not_better.clear();
    }
    diagnosis
}

fn group(
    purpose: &'static str,
    commands: &'static [&'static str],
    needs: &[&'static str],
    lacks: &[&'static str],
) -> CommandGroup {
    CommandGroup {
        purpose,
        commands,
        needs: needs.to_vec(),
        lacks: lacks.to_vec(),
    }
}

fn held(capability: Cap) -> Capability {
    Capability {
        name: capability.name(),
        needed_for: capability.needed_for(),
        to_trace: matches!(capability, Cap::Bpf | Cap::Perfmon),
        held: true,
    }
}

/// An accepted program.
pub(crate) fn accepted() -> Trial {
    Trial {
        accepted: true,
        answer: None,
        refusal: None,
        not_permitted: false,
    }
}

fn refused() -> Trial {
    Trial {
        accepted: false,
        answer: Some("EPERM".to_owned()),
        refusal: Some("this kernel refuses tracing programs: EPERM".to_owned()),
        not_permitted: true,
    }
}

fn conntrack() -> Conntrack {
    let hooked = |hooked| Hooked {
        hooked: Some(hooked),
        error: None,
    };
    Conntrack {
        module: Some(true),
        ipv4: hooked(true),
        ipv6: hooked(false),
        entries: Some(3),
        limit: Some(65536),
        sysctls: vec![Sysctl {
            name: "nf_conntrack_acct",
            value: Some(0),
            switches: "counters",
        }],
    }
}

fn hook(command: &'static str, function: &'static str, attached: bool) -> Hook {
    Hook {
        command,
        function,
        attached: Some(if attached { "fentry" } else { "not attached" }),
        why_not_better: if attached {
            Vec::new()
        } else {
            vec!["gone".to_owned()]
        },
        in_btf: Some(attached),
        shows: "its state",
        essential: attached,
    }
}

fn field(path: &'static str, offset: Option<u32>, bytes: u32) -> Field {
    Field {
        of: "nf_conn",
        path,
        offset,
        bytes,
        required: offset.is_some(),
        absent: offset.is_none().then(|| "not built in".to_owned()),
    }
}

fn argument(function: &'static str, name: &'static str, position: Option<u64>) -> Argument {
    Argument {
        function,
        name,
        position,
    }
}
