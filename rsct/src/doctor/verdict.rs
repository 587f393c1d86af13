//! The main reason why tracing does not work: the first thing to fix.

use super::{Diagnosis, Obstacle};
use crate::kernel::{btf::BtfError, facts};

/// The reason why tracing does not work here; `None` if it works.
///
/// A cause that cannot be changed precedes one that the user can change, and a cause precedes its effects: without
/// privileges, for example, the refusals that follow explain nothing.
pub(super) fn reason(diagnosis: &Diagnosis) -> Option<String> {
    let obstacle = diagnosis.not_attached.as_ref()?;
    let found = diagnosis
        .btf
        .error
        .clone()
        .or_else(|| lacking(diagnosis))
        .or_else(|| locked_down(diagnosis))
        .or_else(|| refused(diagnosis))
        .or_else(|| unloaded(diagnosis))
        .or_else(|| typeless_module(diagnosis));
    Some(found.unwrap_or_else(|| match obstacle {
        Obstacle::NotTried => "attaching was not tried".to_owned(),
        Obstacle::Types(why) | Obstacle::Attaching(why) => {
            let why = why.strip_prefix("cannot trace on this kernel: ").unwrap_or(why);
            why.to_owned()
        }
        Obstacle::NotRun(why) => why.clone(),
    }))
}

fn lacking(diagnosis: &Diagnosis) -> Option<String> {
    let privileges = &diagnosis.privileges;
    let missing: Vec<&str> = privileges
        .capabilities
        .iter()
        .filter(|capability| capability.to_trace && !capability.held)
        .map(|capability| capability.name)
        .collect();
    if !missing.is_empty() {
        return Some(format!(
            "this process lacks {}: run rsct as root, or run `{}` once as root",
            missing.join(" and "),
            privileges.setcap
        ));
    }
    if privileges.error.is_none() && !privileges.initial_user_namespace {
        return Some(
            "this process runs in a user namespace, where its capabilities have no effect on tracing: run rsct \
             as root outside of the container"
                .to_owned(),
        );
    }
    None
}

fn refused(diagnosis: &Diagnosis) -> Option<String> {
    let programs = &diagnosis.programs;
    if programs.any_works() {
        return None;
    }
    let trials = [programs.fentry.as_ref(), Some(&programs.kprobe)];
    let refused = trials.into_iter().flatten().filter(|trial| !trial.accepted);
    let no_kprobes = if programs.kprobe.accepted {
        ", and it has no kprobes as a fallback (CONFIG_KPROBE_EVENTS)"
    } else {
        ""
    };
    if diagnosis.privileges.error.is_none() && refused.clone().all(|trial| trial.not_permitted) {
        return Some(format!(
            "this kernel refuses tracing programs (EPERM) although CAP_BPF and CAP_PERFMON are held: a sandbox, a \
             container's seccomp filter or a hardened kernel forbids them{no_kprobes}"
        ));
    }
    refused
        .map(|trial| trial.refusal.clone().unwrap_or_default() + no_kprobes)
        .next()
}

fn unloaded(diagnosis: &Diagnosis) -> Option<String> {
    let unloaded = diagnosis.conntrack.is_none() && diagnosis.conntrack_error.is_none();
    unloaded.then(|| "conntrack is not loaded: run modprobe nf_conntrack".to_owned())
}

fn typeless_module(diagnosis: &Diagnosis) -> Option<String> {
    let module = diagnosis.conntrack.as_ref()?.module == Some(true);
    let typeless = module && !diagnosis.btf.modules.contains(&"nf_conntrack");
    typeless.then(|| BtfError::NoModuleTypes.to_string())
}

fn locked_down(diagnosis: &Diagnosis) -> Option<String> {
    (diagnosis.kernel.lockdown == Some("confidentiality")).then(|| facts::LOCKED_DOWN.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::samples;

    #[test]
    fn a_machine_that_traces_has_no_reason() {
        assert_eq!(reason(&samples::tracing()), None);
    }

    #[test]
    fn missing_privileges_precede_their_effects() {
        let mut diagnosis = samples::refusing();
        for capability in &mut diagnosis.privileges.capabilities {
            capability.held = false;
        }
        assert_eq!(
            reason(&diagnosis).unwrap(),
            "this process lacks CAP_BPF and CAP_PERFMON: run rsct as root, or run `setcap \
             cap_bpf,cap_perfmon,cap_net_admin+ep /usr/bin/rsct` once as root"
        );
    }

    #[test]
    fn capabilities_in_a_container_have_no_effect() {
        let mut diagnosis = samples::refusing();
        diagnosis.privileges.initial_user_namespace = false;
        assert!(reason(&diagnosis).unwrap().contains("a user namespace"));
    }

    #[test]
    fn refused_programs_are_the_reason() {
        let mut diagnosis = samples::refusing();
        assert_eq!(
            reason(&diagnosis).unwrap(),
            "this kernel refuses tracing programs (EPERM) although CAP_BPF and CAP_PERFMON are held: a sandbox, a \
             container's seccomp filter or a hardened kernel forbids them"
        );
        diagnosis.kernel.lockdown = Some("confidentiality");
        assert!(reason(&diagnosis).unwrap().contains("lockdown=confidentiality"));
    }

    #[test]
    fn kprobes_that_cannot_be_attached_are_no_fallback() {
        let mut diagnosis = samples::refusing();
        diagnosis.programs.kprobe = samples::accepted();
        assert_eq!(refused(&diagnosis), None);
        diagnosis.programs.kprobe_events = Some(false);
        assert!(reason(&diagnosis).unwrap().contains("(CONFIG_KPROBE_EVENTS)"));
    }

    #[test]
    fn unloaded_conntrack_is_the_reason() {
        let mut diagnosis = samples::tracing();
        diagnosis.not_attached = Some(Obstacle::NotTried);
        diagnosis.conntrack = None;
        assert!(reason(&diagnosis).unwrap().ends_with("modprobe nf_conntrack"));
    }

    #[test]
    fn a_module_without_types_is_named() {
        let mut diagnosis = samples::tracing();
        diagnosis.not_attached = Some(Obstacle::Types("cannot trace on this kernel: x".to_owned()));
        diagnosis.btf.modules.clear();
        assert!(
            reason(&diagnosis)
                .unwrap()
                .contains("CONFIG_DEBUG_INFO_BTF_MODULES")
        );
    }

    #[test]
    fn missing_btf_precedes_all_else() {
        let mut diagnosis = samples::refusing();
        diagnosis.btf.error = Some("no types".to_owned());
        diagnosis.conntrack = None;
        assert_eq!(reason(&diagnosis).unwrap(), "no types");
    }

    #[test]
    fn otherwise_the_attach_error_is_the_reason() {
        let mut diagnosis = samples::tracing();
        diagnosis.not_attached = Some(Obstacle::Types("cannot trace on this kernel: x".to_owned()));
        assert_eq!(reason(&diagnosis).unwrap(), "x");
        diagnosis.not_attached = Some(Obstacle::Attaching("cannot attach to y: z".to_owned()));
        assert_eq!(reason(&diagnosis).unwrap(), "cannot attach to y: z");
    }
}
