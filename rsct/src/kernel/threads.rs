//! Changes the credentials of all threads of this process.
//!
//! Capabilities, `no_new_privs` and Landlock's rules belong to a thread, and a new thread inherits them from the one that
//! starts it. So the calling thread changes itself, and then sends each other thread a signal whose handler makes the same
//! system calls.

use std::{
    collections::HashSet,
    fs, io,
    os::fd::RawFd,
    ptr,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicI32, AtomicPtr, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{interrupt::set_action, privileges::CapabilitySet};

/// The credentials of a thread after the change.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Credentials {
    /// The user and the group to change to; without one, both stay.
    pub user: Option<Ids>,
    /// The permitted and effective capabilities.
    pub capabilities: CapabilitySet,
    /// A set of Landlock's rules.
    pub rules: Option<RawFd>,
}

/// The numbers of a user and of its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ids {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
}

/// A system call that failed.
#[derive(Debug, thiserror::Error)]
#[error("{call}: {source}{}", hint(call))]
pub(crate) struct ChangeError {
    call: &'static str,
    source: io::Error,
}

fn hint(call: &str) -> &'static str {
    match call {
        "setgroups" | "setresgid" | "setresuid" => {
            "; only root, or a process with CAP_SETUID and CAP_SETGID, may change the user"
        }
        _ => "",
    }
}

/// How long a thread may take to answer.
const LONGEST: Duration = Duration::from_secs(5);
/// The interval of looking for its answer.
const LOOK: Duration = Duration::from_micros(50);

/// The change that the handler makes.
static CHANGE: AtomicPtr<Credentials> = AtomicPtr::new(ptr::null_mut());
/// The answer of the handler: not yet, 0, or the errno.
static ANSWER: AtomicI32 = AtomicI32::new(NONE);
const NONE: i32 = -1;
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Changes the credentials of every thread. After an error of the first system call nothing has changed; after one of a
/// later call the process must end.
pub(crate) fn change(mut to: Credentials) -> Result<(), ChangeError> {
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    perform(&to).map_err(|(call, errno)| ChangeError {
        call,
        source: io::Error::from_raw_os_error(errno),
    })?;
    CHANGE.store(&raw mut to, Ordering::Release);
    // The last of the signals that programs may use; C libraries keep the first ones to themselves.
    let signal = libc::SIGRTMAX();
    set_action(signal, answer as *const () as usize);
    let changed = change_others(signal);
    // The handler stays: without a change it does nothing.
    CHANGE.store(ptr::null_mut(), Ordering::Release);
    changed.map_err(|source| ChangeError {
        call: "changing the other threads",
        source,
    })
}

/// Changes the threads that exist, and those that they start during that.
fn change_others(signal: i32) -> io::Result<()> {
    // SAFETY: a plain call.
    let own = unsafe { libc::gettid() };
    let mut changed = HashSet::from([own]);
    loop {
        let mut are_all = true;
        for task in fs::read_dir("/proc/self/task")? {
            let Some(tid) = task?.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if changed.insert(tid) {
                are_all = false;
                change_one(tid, signal)?;
            }
        }
        if are_all {
            return Ok(());
        }
    }
}

fn change_one(tid: i32, signal: i32) -> io::Result<()> {
    ANSWER.store(NONE, Ordering::Release);
    // SAFETY: a plain call; the thread is of this process.
    if unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), tid, signal) } != 0 {
        let error = io::Error::last_os_error();
        return match error.raw_os_error() {
            // It has ended.
            Some(libc::ESRCH) => Ok(()),
            _ => Err(error),
        };
    }
    let end = Instant::now() + LONGEST;
    loop {
        match ANSWER.load(Ordering::Acquire) {
            0 => return Ok(()),
            NONE => {}
            errno => return Err(io::Error::from_raw_os_error(errno)),
        }
        if !fs::exists(format!("/proc/self/task/{tid}"))? {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(LOOK);
    }
}

/// The signal handler. It makes system calls only.
extern "C" fn answer(_signal: i32) {
    let change = CHANGE.load(Ordering::Acquire);
    // SAFETY: the sender keeps the change until the answer; the thread's errno is restored.
    unsafe {
        let errno = *libc::__errno_location();
        if let Some(change) = change.as_ref() {
            let answer = perform(change).err().map_or(0, |(_, errno)| errno);
            ANSWER.store(answer, Ordering::Release);
        }
        *libc::__errno_location() = errno;
    }
}

/// `struct __user_cap_header_struct` (include/uapi/linux/capability.h).
#[repr(C)]
struct Header {
    version: u32,
    pid: i32,
}

/// `struct __user_cap_data_struct`.
#[repr(C)]
struct Data {
    effective: u32,
    permitted: u32,
    inheritable: u32,
}

/// Changes the calling thread. Not through the C library, whose calls change all threads by a signal of its own.
fn perform(to: &Credentials) -> Result<(), (&'static str, i32)> {
    /// `_LINUX_CAPABILITY_VERSION_3`.
    const VERSION: u32 = 0x2008_0522;
    let done = |call: &'static str, result: libc::c_long| match result {
        0 => Ok(()),
        // SAFETY: the thread's own errno.
        _ => Err((call, unsafe { *libc::__errno_location() })),
    };
    let header = Header {
        version: VERSION,
        pid: 0,
    };
    let data = [0, 32].map(|shift| {
        let word = (to.capabilities.0 >> shift) as u32;
        Data {
            effective: word,
            permitted: word,
            inheritable: 0,
        }
    });
    // Whole registers.
    let (off, on): (libc::c_long, libc::c_long) = (0, 1);
    let prctl = |option: libc::c_int| {
        // SAFETY: the options that are used have no pointers.
        unsafe { libc::syscall(libc::SYS_prctl, libc::c_long::from(option), on, off, off, off) }
    };
    let no_groups = ptr::null::<libc::gid_t>();
    // SAFETY: the pointers are those of values that outlive the calls, of the types that the calls read.
    unsafe {
        if let Some(Ids { uid, gid }) = to.user {
            done("prctl", prctl(libc::PR_SET_KEEPCAPS))?;
            done("setgroups", libc::syscall(libc::SYS_setgroups, off, no_groups))?;
            done("setresgid", libc::syscall(libc::SYS_setresgid, gid, gid, gid))?;
            done("setresuid", libc::syscall(libc::SYS_setresuid, uid, uid, uid))?;
        }
        done("prctl", prctl(libc::PR_SET_NO_NEW_PRIVS))?;
        done(
            "capset",
            libc::syscall(libc::SYS_capset, &raw const header, data.as_ptr()),
        )?;
        if let Some(rules) = to.rules {
            done(
                "landlock_restrict_self",
                libc::syscall(libc::SYS_landlock_restrict_self, rules, off),
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    /// Runs in a child process: other tests must keep their privileges.
    #[test]
    fn all_threads_change_in_a_process_of_their_own() {
        let name = "kernel::threads::tests::all_threads_change";
        let program = std::env::current_exe().unwrap();
        let mut command = std::process::Command::new(program);
        let output = command.args(["--exact", name, "--ignored"]).output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}");
    }

    #[test]
    #[ignore = "changes this process: the test above starts it in a process of its own"]
    fn all_threads_change() {
        let (end, waiting) = channel::<()>();
        let waiting = Mutex::new(waiting);
        thread::scope(|scope| {
            // One sleeps, one waits for another.
            scope.spawn(|| waiting.lock().unwrap().recv());
            scope.spawn(|| drop(waiting.lock()));
            change(Credentials {
                user: None,
                capabilities: CapabilitySet::default(),
                rules: None,
            })
            .unwrap();
            let mut threads = 0;
            for task in fs::read_dir("/proc/self/task").unwrap() {
                let status = fs::read_to_string(task.unwrap().path().join("status")).unwrap();
                assert!(status.contains("\nCapEff:\t0000000000000000\n"), "{status}");
                assert!(status.contains("\nNoNewPrivs:\t1\n"), "{status}");
                threads += 1;
            }
            assert!(threads >= 3, "{threads}");
            drop(end);
        });
    }
}
