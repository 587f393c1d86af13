//! Loads minimal tracing programs to find out whether this kernel accepts them.
//!
//! Settings and capabilities show only what should work; hardened kernels, sandboxes and hypervisors may
//! refuse anyway. Programs are only loaded, not attached.

use std::io;

use aya_obj::generated::{bpf_attach_type, bpf_prog_type};

use super::bpf_syscall::{BpfError, ProgLoad};
use super::btf::KernelTypes;
use super::insn::{self, R0};

/// Functions that every kernel has and allows to be traced; the first one in BTF is used.
const TARGETS: [&str; 3] = ["vfs_read", "kfree", "ip_rcv"];

/// The kernel's refusal of a trial load, as one sentence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum Refusal {
    /// The kernel refused the program.
    #[error("this kernel refuses {programs}: {}{}", errno_name(.error), advice(.error))]
    Refused {
        /// The kind of programs.
        programs: &'static str,
        /// The refusal in full.
        error: BpfError,
    },
    /// No function to try with.
    #[error("this kernel's BTF describes none of the functions {}", TARGETS.join(", "))]
    NoTarget,
}

impl Refusal {
    /// The errno, if the kernel returned one.
    pub(crate) fn errno(&self) -> Option<i32> {
        match self {
            Self::Refused { error, .. } => error.errno(),
            Self::NoTarget => None,
        }
    }

    /// The refusal without advice.
    pub(crate) fn brief(&self) -> String {
        match self {
            Self::Refused { error, .. } => errno_name(error),
            Self::NoTarget => self.to_string(),
        }
    }
}

/// Tries to load an fentry program for a function of vmlinux. Needs BTF and CONFIG_DEBUG_INFO_BTF.
pub(crate) fn fentry(types: &KernelTypes) -> Result<(), Refusal> {
    let known = |name: &&str| types.func(name).ok().flatten();
    let target = TARGETS.iter().find_map(known).ok_or(Refusal::NoTarget)?;
    let attach = bpf_attach_type::BPF_TRACE_FENTRY;
    offer(
        "tracing programs",
        bpf_prog_type::BPF_PROG_TYPE_TRACING,
        Some(attach),
        target.type_id,
    )
}

/// Tries to load a kprobe program.
pub(crate) fn kprobe() -> Result<(), Refusal> {
    offer("kprobe programs", bpf_prog_type::BPF_PROG_TYPE_KPROBE, None, 0)
}

fn offer(
    programs: &'static str,
    prog_type: bpf_prog_type,
    expected_attach_type: Option<bpf_attach_type>,
    attach_btf_id: u32,
) -> Result<(), Refusal> {
    let program = ProgLoad {
        name: "rsct_trial",
        prog_type,
        prog_flags: 0,
        expected_attach_type,
        insns: &[insn::set(R0, 0), insn::exit()],
        license: c"GPL",
        attach_btf_id,
        attach_btf_obj: None,
        prog_btf: None,
        fd_array: &[],
        kern_version: 0,
    };
    program
        .load()
        .map(drop)
        .map_err(|error| Refusal::Refused { programs, error })
}

/// The errno's symbolic name.
fn errno_name(error: &BpfError) -> String {
    match error.errno() {
        Some(libc::EPERM) => "EPERM (Operation not permitted)".to_owned(),
        Some(libc::ENOSYS) => "ENOSYS (Function not implemented)".to_owned(),
        Some(libc::EINVAL) => "EINVAL (Invalid argument)".to_owned(),
        Some(errno) => io::Error::from_raw_os_error(errno).to_string(),
        None => error.to_string(),
    }
}

/// Advice for the user.
fn advice(error: &BpfError) -> &'static str {
    match error.errno() {
        Some(libc::EPERM) => {
            "; run as root, or with CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN and CAP_SYS_ADMIN; with these, a \
             sandbox or a hardened kernel forbids it"
        }
        Some(libc::ENOSYS) => "; use a kernel built with CONFIG_BPF_SYSCALL",
        Some(libc::EINVAL) => "; use a kernel built with CONFIG_BPF_EVENTS and the BPF JIT compiler",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trial_returns_success_or_a_sentence() {
        let trials = [
            kprobe(),
            KernelTypes::open().map_or(Err(Refusal::NoTarget), |types| fentry(&types)),
        ];
        for refusal in trials.into_iter().filter_map(Result::err) {
            assert!(refusal.to_string().starts_with("this kernel"), "{refusal}");
        }
    }

    #[test]
    fn a_refusal_names_the_errno() {
        let source = io::Error::from_raw_os_error(libc::EPERM);
        let error = BpfError::Load {
            program: String::new(),
            source,
            log: String::new(),
        };
        let refusal = Refusal::Refused {
            programs: "tracing programs",
            error,
        }
        .to_string();
        assert!(
            refusal.starts_with("this kernel refuses tracing programs: EPERM (Operation"),
            "{refusal}"
        );
    }
}
