//! Landlock, and kernels without it.

use std::{io, os::unix::process::CommandExt as _, process::Command};

/// Makes `command` run as on a kernel without Landlock. Needs root.
pub fn without(command: &mut Command) {
    // SAFETY: between fork and exec only system calls are made.
    unsafe { command.pre_exec(refuse) };
}

/// A filter that answers `landlock_create_ruleset` as a kernel without Landlock does.
fn refuse() -> io::Result<()> {
    const fn statement(code: u32, k: u32) -> libc::sock_filter {
        libc::sock_filter {
            code: code as u16,
            jt: 0,
            jf: 0,
            k,
        }
    }
    let mut filter = [
        // The number of the system call.
        statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0),
        libc::sock_filter {
            code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
            jt: 0,
            jf: 1,
            k: libc::SYS_landlock_create_ruleset as u32,
        },
        statement(
            libc::BPF_RET | libc::BPF_K,
            libc::SECCOMP_RET_ERRNO | libc::EOPNOTSUPP as u32,
        ),
        statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_mut_ptr(),
    };
    // SAFETY: the program and its instructions outlive the call.
    match unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const program,
        )
    } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Returns whether this kernel has Landlock.
pub fn is_here() -> bool {
    // SAFETY: queries the version, without pointers.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0, 1) };
    version > 0
}

/// Returns whether a message says that there is none.
pub fn is_reported_missing(messages: &str) -> bool {
    messages.contains("this kernel has no Landlock: access to files is not restricted")
}
