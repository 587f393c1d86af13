//! Attachment of one hook in the best form that works on this kernel, and the reasons against better forms.

use std::{error::Error, io, iter};

use aya::{
    Ebpf,
    programs::{KProbe, Program as AyaProgram, ProgramError, RawTracePoint},
};

use crate::kernel::{
    bpf_syscall,
    btf::{Func, KernelTypes},
    facts, limits,
};

use super::{
    detach,
    hooks::{At, Hook},
    layout::Layout,
    multi::Multi,
    proof::Proof,
    session::{Form, HookReport, How, Settings},
    tracing::{Attached, Tracing},
};

/// The settings for attaching hooks, and the programs attached so far.
pub(super) struct Attaching<'a> {
    with: Settings<'a>,
    ebpf: &'a mut Ebpf,
    tracing: &'a mut Tracing,
    /// The form for kprobes where perf events are refused.
    multi: Option<&'a mut Result<Multi, String>>,
    /// The fentry and fexit programs.
    pub(super) attached: Vec<Attached>,
    /// The names of the kprobe programs.
    pub(super) kprobes: Vec<&'static str>,
}

impl<'a> Attaching<'a> {
    pub(super) fn new(
        with: Settings<'a>,
        ebpf: &'a mut Ebpf,
        tracing: &'a mut Tracing,
        multi: Option<&'a mut Result<Multi, String>>,
    ) -> Self {
        Self {
            with,
            ebpf,
            tracing,
            multi,
            attached: Vec::new(),
            kprobes: Vec::new(),
        }
    }

    /// Attaches a hook in the best form that is allowed and works.
    pub(super) fn hook(&mut self, hook: &'static Hook) -> HookReport {
        let mut report = HookReport {
            hook,
            how: How::Not,
            why_not_better: Vec::new(),
            is_expected: false,
        };
        let left_out = &self.with.options.left_out;
        if let Some((_, why)) = left_out.iter().find(|(function, _)| *function == hook.function) {
            report.why_not_better.push((*why).to_owned());
            report.is_expected = true;
            return report;
        }
        if let [program] = hook.kprobe
            && program.at == At::Tracepoint
        {
            match attach_tracepoint(self.ebpf, program.name, hook.function) {
                Ok(()) => report.how = How::Tracepoint,
                Err(why) => report.why_not_better.push(format!("tracepoint: {why}")),
            }
            return report;
        }
        // A hook with programs of one form only is attached in that form, whatever the options request.
        if self.with.options.form != Form::Kprobe && !hook.trampoline.is_empty() {
            match attach_tracing(self.with.types, self.with.layout, self.tracing, hook) {
                Ok(programs) => {
                    self.attached.extend(programs);
                    report.how = How::Fentry;
                }
                Err(why) => report.why_not_better.push(format!("fentry: {why}")),
            }
        }
        if (self.with.options.form != Form::Fentry || hook.trampoline.is_empty()) && report.how == How::Not {
            match self.kprobes(hook) {
                Ok(How::KprobeMulti) => report.how = How::KprobeMulti,
                Ok(_) => {
                    self.kprobes
                        .extend(hook.kprobe.iter().map(|program| program.name));
                    report.how = How::Kprobe;
                }
                Err(why) => report.why_not_better.push(why),
            }
        }
        report.is_expected =
            report.how == How::Not && matches!(self.with.types.func(hook.function), Ok(None));
        report
    }

    fn kprobes(&mut self, hook: &Hook) -> Result<How, String> {
        let Settings { types, layout, .. } = self.with;
        match &mut self.multi {
            Some(Ok(multi)) => attach_multi(types, layout, multi, hook)
                .map(|()| How::KprobeMulti)
                .map_err(|why| format!("kprobe.multi: {why}")),
            refused => {
                let attached = attach_kprobes(types, layout, self.ebpf, hook).map(|()| How::Kprobe);
                attached.map_err(|why| match refused {
                    Some(Err(of_multi)) => format!("kprobe: {why}; kprobe.multi: {of_multi}"),
                    _ => format!("kprobe: {why}"),
                })
            }
        }
    }

    /// Attaches the programs that prove that the programs of `hooks` run.
    pub(super) fn proof(&mut self, hooks: &[HookReport]) -> Result<Proof, String> {
        let multi = match &mut self.multi {
            Some(Ok(multi)) => Some(multi),
            _ => None,
        };
        Proof::attach(hooks, self.with, self.ebpf, self.tracing, multi)
    }
}

/// Both ends of the function, the exit first: a packet recorded at entry then also has its exit.
pub(super) fn attach_tracing(
    types: &KernelTypes,
    layout: &Layout,
    tracing: &mut Tracing,
    hook: &Hook,
) -> Result<Vec<Attached>, String> {
    let function = find_function(types, hook)?;
    if function.variadic {
        return Err("the function has a variable number of arguments".to_owned());
    }
    check_arguments(layout, hook)?;
    hook.trampoline
        .iter()
        .rev()
        .map(|program| tracing.attach(*program, &function))
        .collect()
}

pub(super) fn attach_multi(
    types: &KernelTypes,
    layout: &Layout,
    multi: &mut Multi,
    hook: &Hook,
) -> Result<(), String> {
    find_function(types, hook)?;
    check_arguments(layout, hook)?;
    multi.attach(hook)
}

pub(super) fn attach_kprobes(
    types: &KernelTypes,
    layout: &Layout,
    ebpf: &mut Ebpf,
    hook: &Hook,
) -> Result<(), String> {
    find_function(types, hook)?;
    check_arguments(layout, hook)?;
    for program in hook.kprobe.iter().rev() {
        debug_assert!(matches!(program.at, At::Entry | At::Return));
        let loaded: &mut KProbe = match ebpf.program_mut(program.name) {
            Some(AyaProgram::KProbe(kprobe)) => kprobe,
            _ => return Err(format!("the object has no kprobe {}", program.name)),
        };
        loaded
            .load()
            .map_err(|error| format!("cannot load {}: {}", program.name, refusal(&error)))?;
        loaded.attach(hook.function, 0).map_err(|error| {
            format!(
                "cannot attach {}: {}{}",
                program.name,
                chain(&error),
                why_refused(&error)
            )
        })?;
        detach::attached();
    }
    Ok(())
}

/// Names the setting that makes the kernel refuse a supported kprobe: aya opens a perf event for it.
fn why_refused(error: &ProgramError) -> String {
    if facts::has_kprobes().is_none() {
        return " (/sys is not mounted: `mount -t sysfs sysfs /sys`)".to_owned();
    }
    match facts::perf_event_paranoid() {
        Some(paranoid) if paranoid > 2 && is_denied(error) => format!(
            " (kernel.perf_event_paranoid is {paranoid}, so kprobes need CAP_SYS_ADMIN; \
             `sysctl -w kernel.perf_event_paranoid=2` allows them)"
        ),
        _ => String::new(),
    }
}

/// True if the error or one of its causes is EPERM or EACCES.
fn is_denied(error: &(dyn Error + 'static)) -> bool {
    iter::successors(Some(error), |&error| error.source())
        .filter_map(|error| error.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

fn attach_tracepoint(ebpf: &mut Ebpf, program: &str, tracepoint: &str) -> Result<(), String> {
    let loaded: &mut RawTracePoint = match ebpf.program_mut(program) {
        Some(AyaProgram::RawTracePoint(loaded)) => loaded,
        _ => return Err(format!("the object has no tracepoint program {program}")),
    };
    loaded
        .load()
        .map_err(|error| format!("cannot load {program}: {}", refusal(&error)))?;
    loaded
        .attach(tracepoint)
        .map_err(|error| format!("cannot attach {program}: {}", chain(&error)))?;
    detach::attached();
    Ok(())
}

/// Finds the function in BTF, which has the positions of its arguments.
pub(super) fn find_function(types: &KernelTypes, hook: &Hook) -> Result<Func, String> {
    types
        .func(hook.function)
        .map_err(|error| error.to_string())?
        .ok_or_else(|| "this kernel's BTF has no such function (inlined, or not in this kernel)".to_owned())
}

fn check_arguments(layout: &Layout, hook: &Hook) -> Result<(), String> {
    let missing: Vec<&str> = layout.missing_arguments(hook.function).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "this kernel's function has no parameter {}",
        missing.join(", ")
    ))
}

/// The error of a program that could not be loaded, with the end of the verifier's log, which may have thousands of
/// lines.
fn refusal(error: &ProgramError) -> String {
    match error {
        ProgramError::LoadError {
            io_error,
            verifier_log,
        } => format!(
            "{io_error}{}",
            bpf_syscall::log_summary(&verifier_log.to_string())
        ),
        other => chain(other),
    }
}

/// Joins an error and its causes on one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        if let Some(hint) = limits::hint(error) {
            text.push_str("; ");
            text.push_str(&hint);
        }
        cause = error.source();
    }
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" | ")
}

#[cfg(test)]
mod tests {
    use aya::sys::SyscallError;

    use super::*;

    #[test]
    fn a_denial_is_found_in_the_chain_of_errors() {
        let error = |errno| {
            ProgramError::from(SyscallError {
                call: "perf_event_open",
                io_error: io::Error::from_raw_os_error(errno),
            })
        };
        assert!(is_denied(&error(libc::EACCES)));
        assert!(is_denied(&error(libc::EPERM)));
        assert!(!is_denied(&error(libc::ENOENT)));
        assert!(!is_denied(&ProgramError::NotLoaded));
    }
}
