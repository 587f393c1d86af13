//! An ordinary user with some capabilities.

use std::{io, os::unix::process::CommandExt as _, process::Command};

/// `CAP_NET_ADMIN` (include/uapi/linux/capability.h).
pub const CAP_NET_ADMIN: u32 = 12;
/// `CAP_PERFMON`.
pub const CAP_PERFMON: u32 = 38;
/// `CAP_BPF`.
pub const CAP_BPF: u32 = 39;

/// An ordinary user.
pub const NOBODY: u32 = 65534;

#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Makes `command` run as an ordinary user with exactly these capabilities.
pub fn with_capabilities(command: &mut Command, capabilities: &'static [u32]) {
    // SAFETY: between fork and exec only system calls are made.
    unsafe { command.pre_exec(|| become_user(capabilities)) };
}

fn become_user(capabilities: &[u32]) -> io::Result<()> {
    /// `_LINUX_CAPABILITY_VERSION_3`.
    const VERSION: u32 = 0x2008_0522;
    let mut data = [Data::default(); 2];
    for capability in capabilities {
        let bit = 1 << (capability % 32);
        let word = &mut data[*capability as usize / 32];
        word.effective |= bit;
        word.permitted |= bit;
        word.inheritable |= bit;
    }
    let header = Header {
        version: VERSION,
        pid: 0,
    };
    let done = |result: libc::c_long| match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    // SAFETY: plain system calls; capset reads two structs, which are alive.
    unsafe {
        done(libc::prctl(libc::PR_SET_KEEPCAPS, 1, 0, 0, 0).into())?;
        done(libc::syscall(libc::SYS_setgroups, 0, 0))?;
        done(libc::syscall(libc::SYS_setresgid, NOBODY, NOBODY, NOBODY))?;
        done(libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY))?;
        done(libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()))?;
        for capability in capabilities {
            let raise = libc::PR_CAP_AMBIENT_RAISE;
            done(libc::prctl(libc::PR_CAP_AMBIENT, raise, *capability, 0, 0).into())?;
        }
    }
    Ok(())
}
