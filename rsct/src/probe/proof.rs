//! Proof that the kernel runs attached programs. A kernel with `kernel.ftrace_enabled=0` attaches every program and runs none.
//!
//! A program on `bpf_fentry_test1` counts the calls of a test run (`BPF_PROG_TEST_RUN`). It stays attached as long as
//! the session, so that the proof can be repeated; packets never reach that function.

use std::{
    fs,
    os::fd::{AsFd as _, OwnedFd},
};

use aya::{
    Ebpf,
    maps::{Array, MapData},
};
use serde::{Deserialize, Serialize};

use crate::kernel::bpf_syscall;

use super::{
    attach::{attach_kprobes, attach_tracing, chain, find_function},
    hooks::{Hook, Stage, entry},
    multi::Multi,
    session::{HookReport, How, Settings},
    tracing::{Attached, Tracing},
};

/// The hook of the proof's programs.
pub(super) const PROOF: Hook = Hook {
    function: "bpf_fentry_test1",
    shows: "whether attached programs run",
    essential: false,
    stage: Stage::First,
    trampoline: &[entry("proof_fentry")],
    kprobe: &[entry("proof_kprobe")],
};

/// The forms that a proof covers, in the order of the counters.
const FORMS: [How; 2] = [How::Fentry, How::Kprobe];

/// There is no proof that attached programs run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unproven {
    /// The kernel called the function and ran no program.
    #[error("the kernel attaches {} programs but does not run them: {}", form.name(), why(*.ftrace_enabled))]
    NotRun {
        /// The form of the programs.
        form: How,
        /// `kernel.ftrace_enabled`, if it can be read.
        ftrace_enabled: Option<bool>,
    },
    /// The test itself failed.
    #[error("cannot test whether attached programs run ({0}); events may be missing")]
    Untested(String),
}

impl Unproven {
    /// True if the programs run, false if not; none if unknown.
    pub(crate) fn run(&self) -> Option<bool> {
        match self {
            Self::NotRun { .. } => Some(false),
            Self::Untested(_) => None,
        }
    }
}

fn why(ftrace_enabled: Option<bool>) -> &'static str {
    match ftrace_enabled {
        Some(false) => "kernel.ftrace_enabled is 0; run `sysctl -w kernel.ftrace_enabled=1`",
        Some(true) => "kernel.ftrace_enabled is 1, so the reason is unknown",
        None => "the reason is unknown, because /proc/sys/kernel/ftrace_enabled cannot be read",
    }
}

/// The programs of the proof, attached.
pub(super) struct Proof {
    /// A test run of this program calls the function.
    caller: OwnedFd,
    counts: Array<MapData, u64>,
    /// Whether each of [`FORMS`] is attached.
    attached: [bool; 2],
    _tracing: Vec<Attached>,
}

impl Proof {
    /// Attaches a program of each form that `hooks` are attached in.
    pub(super) fn attach(
        hooks: &[HookReport],
        with: Settings<'_>,
        ebpf: &mut Ebpf,
        tracing: &mut Tracing,
        multi: Option<&mut Multi>,
    ) -> Result<Self, String> {
        let is_used = |form| hooks.iter().any(|report| report.how == form);
        let attached = [
            is_used(How::Fentry),
            is_used(How::Kprobe) || is_used(How::KprobeMulti),
        ];
        let function = find_function(with.types, &PROOF)?;
        let caller = tracing.load(PROOF.trampoline[0], &function)?;
        let [fentry, kprobe] = attached;
        let programs = match fentry {
            true => attach_tracing(with.types, with.layout, tracing, &PROOF)?,
            false => Vec::new(),
        };
        match multi {
            Some(multi) if kprobe => multi.attach(&PROOF)?,
            None if kprobe => attach_kprobes(with.types, with.layout, ebpf, &PROOF)?,
            _ => {}
        }
        let counts = ebpf.take_map("PROOF").ok_or("the object has no map PROOF")?;
        Ok(Self {
            caller,
            counts: Array::try_from(counts).map_err(|error| chain(&error))?,
            attached,
            _tracing: programs,
        })
    }

    /// Makes the kernel call the function, and checks that each program ran.
    pub(super) fn check(&self) -> Result<(), Unproven> {
        let untested = |error: &dyn std::error::Error| Unproven::Untested(chain(error));
        if self.attached == [false; 2] {
            return Err(Unproven::Untested("no program is attached".to_owned()));
        }
        let counts = || -> Result<Vec<u64>, Unproven> {
            let count = |index| self.counts.get(&index, 0).map_err(|error| untested(&error));
            (0..).take(FORMS.len()).map(count).collect()
        };
        let before = counts()?;
        bpf_syscall::prog_test_run(self.caller.as_fd(), &[], 0).map_err(|error| untested(&error))?;
        let after = counts()?;
        for (index, form) in FORMS.into_iter().enumerate() {
            if self.attached[index] && after[index] == before[index] {
                return Err(Unproven::NotRun {
                    form,
                    ftrace_enabled: ftrace_enabled(),
                });
            }
        }
        Ok(())
    }
}

fn ftrace_enabled() -> Option<bool> {
    let text = fs::read_to_string("/proc/sys/kernel/ftrace_enabled").ok()?;
    Some(text.trim() != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_runs_no_programs_is_named_with_the_setting() {
        let text = |ftrace_enabled| {
            Unproven::NotRun {
                form: How::Fentry,
                ftrace_enabled,
            }
            .to_string()
        };
        assert!(text(Some(false)).contains("`sysctl -w kernel.ftrace_enabled=1`"));
        assert!(!text(Some(true)).contains("sysctl"));
        assert!(text(None).contains("unknown"));
    }
}
