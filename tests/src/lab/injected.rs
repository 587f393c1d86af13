//! A system call in another process, as a debugger makes it: the kernel's answer shows what that process may do.

use std::{ffi::CString, fs, io, mem, os::unix::fs::FileExt as _, ptr};

use anyhow::{Result, ensure};

use super::wait;

/// The error of opening a file for reading in a process that waits in a system call; none if it was opened.
pub fn error_of_opening(pid: u32, path: &str) -> Result<Option<i32>> {
    let mut opened = None;
    wait::until("rsct waits in a system call", || {
        let tracee = Tracee::attach(i32::try_from(pid)?)?;
        opened = tracee.open(path)?;
        Ok(opened.is_some())
    })?;
    Ok(opened.filter(|result| *result < 0).map(|error| -error as i32))
}

/// A stopped process, which continues when this is dropped.
struct Tracee(i32);

impl Tracee {
    fn attach(pid: i32) -> Result<Self> {
        request(libc::PTRACE_ATTACH.into(), pid, 0, "attach to rsct")?;
        let tracee = Self(pid);
        tracee.wait()?;
        Ok(tracee)
    }

    fn wait(&self) -> Result<()> {
        let mut status = 0;
        // SAFETY: the number outlives the call.
        let waited = unsafe { libc::waitpid(self.0, &raw mut status, libc::__WALL) };
        ensure!(waited == self.0, "wait for rsct: {}", io::Error::last_os_error());
        ensure!(libc::WIFSTOPPED(status), "rsct ended: {status:#x}");
        Ok(())
    }

    /// Runs the system call instruction that the process waits in once more, with other registers; none if it does not wait
    /// in a system call.
    fn open(&self, path: &str) -> Result<Option<i64>> {
        /// Below the stack and the 128 bytes that functions use beyond it.
        const BELOW: u64 = 1024;
        // SAFETY: plain integers.
        let mut before: libc::user_regs_struct = unsafe { mem::zeroed() };
        request(
            libc::PTRACE_GETREGS.into(),
            self.0,
            (&raw mut before).expose_provenance(),
            "read registers",
        )?;
        let memory = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .open(format!("/proc/{}/mem", self.0))?;
        let mut code = [0; 2];
        memory.read_exact_at(&mut code, before.rip - 2)?;
        if code != [0x0f, 0x05] {
            return Ok(None);
        }
        let address = (before.rsp - BELOW) & !15;
        memory.write_all_at(CString::new(path)?.as_bytes_with_nul(), address)?;
        let mut registers = before;
        registers.rip -= 2;
        registers.rax = libc::SYS_openat as u64;
        // Not a system call to be restarted.
        registers.orig_rax = u64::MAX;
        registers.rdi = libc::AT_FDCWD as u64;
        registers.rsi = address;
        registers.rdx = (libc::O_RDONLY | libc::O_CLOEXEC) as u64;
        registers.r10 = 0;
        let at = |registers: &libc::user_regs_struct| ptr::from_ref(registers).expose_provenance();
        request(
            libc::PTRACE_SETREGS.into(),
            self.0,
            at(&registers),
            "write registers",
        )?;
        request(libc::PTRACE_SINGLESTEP.into(), self.0, 0, "make the system call")?;
        self.wait()?;
        let after = (&raw mut registers).expose_provenance();
        request(libc::PTRACE_GETREGS.into(), self.0, after, "read registers")?;
        request(
            libc::PTRACE_SETREGS.into(),
            self.0,
            at(&before),
            "restore registers",
        )?;
        Ok(Some(registers.rax.cast_signed()))
    }
}

impl Drop for Tracee {
    fn drop(&mut self) {
        let _ = request(libc::PTRACE_DETACH.into(), self.0, 0, "detach from rsct");
    }
}

fn request(request: i64, pid: i32, data: usize, what: &str) -> Result<()> {
    // SAFETY: `data` is zero, or the address of registers that outlive the call.
    let result = unsafe { libc::ptrace(request as _, pid, ptr::null_mut::<u8>(), data) };
    ensure!(result == 0, "{what}: {}", io::Error::last_os_error());
    Ok(())
}
