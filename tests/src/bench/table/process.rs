//! A program run to its end in a network namespace, its duration and its maximum of memory.

use std::{
    fs::File,
    io::{Error, Read as _, Seek as _},
    os::{fd::AsRawFd as _, unix::process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use super::machine;

/// Result of one run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// From before its start to its end.
    pub took: Duration,
    /// CPU time during the run, in the kernel too.
    pub on_cpu: Duration,
    /// Its maximum of resident memory.
    pub peak_kib: u64,
}

/// Destination of its standard output.
pub enum Output<'a> {
    /// /dev/null.
    Null,
    /// A file.
    File(&'a Path),
    /// A pipe without a reader.
    ClosedPipe,
}

/// A program that has been started.
pub struct StartedProcess {
    line: String,
    start: Instant,
    child: Child,
    /// Its standard error.
    said: File,
}

impl StartedProcess {
    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: libc::c_int) -> Result<()> {
        let pid = i32::try_from(self.child.id())?;
        // SAFETY: kill accepts plain integers; the child is not reaped yet, so the number is still its own.
        let sent = unsafe { libc::kill(pid, signal) };
        ensure!(sent == 0, "signal {}: {}", self.line, Error::last_os_error());
        Ok(())
    }

    /// Waits for its end, which must be a success; returns the result and its standard error.
    pub fn wait(self) -> Result<(Run, String)> {
        let line = self.line.clone();
        let (run, said, status) = self.end()?;
        ensure!(
            libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0,
            "{line} ended with wait status {status:#x}:\n{said}"
        );
        Ok((run, said))
    }

    /// Waits for the end of a program that was signalled, with any exit status.
    pub fn wait_for_signalled(self) -> Result<Run> {
        self.end().map(|(run, _, _)| run)
    }

    fn end(mut self) -> Result<(Run, String, libc::c_int)> {
        let pid = i32::try_from(self.child.id())?;
        let mut status = 0;
        // SAFETY: all-zero bytes are a valid rusage.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        loop {
            // SAFETY: status and usage outlive the call; no other thread waits for this child.
            if unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) } == pid {
                break;
            }
            let error = Error::last_os_error();
            ensure!(
                error.kind() == std::io::ErrorKind::Interrupted,
                "wait for {}: {error}",
                self.line
            );
        }
        let took = self.start.elapsed();
        let mut said = String::new();
        self.said.rewind()?;
        self.said.read_to_string(&mut said)?;
        machine::fail_if_interrupted()?;
        let run = Run {
            took,
            on_cpu: duration(usage.ru_utime)? + duration(usage.ru_stime)?,
            peak_kib: u64::try_from(usage.ru_maxrss)?,
        };
        Ok((run, said, status))
    }
}

/// Starts a program in the namespace called `netns`.
pub fn start(netns: &str, line: &[String], output: Output<'_>) -> Result<StartedProcess> {
    let path = PathBuf::from("/run/netns").join(netns);
    let netns = File::open(&path).with_context(|| format!("open {}", path.display()))?;
    let said = temporary()?;
    let mut command = Command::new(&line[0]);
    command
        .args(&line[1..])
        .stdin(Stdio::null())
        .stderr(said.try_clone()?);
    match output {
        Output::Null => command.stdout(Stdio::null()),
        Output::ClosedPipe => command.stdout(std::io::pipe().context("make a pipe")?.1),
        Output::File(path) => {
            command.stdout(File::create(path).with_context(|| format!("create {}", path.display()))?)
        }
    };
    // SAFETY: between fork and exec only setns and prctl are called, which are async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            if libc::setns(netns.as_raw_fd(), libc::CLONE_NEWNET) != 0 {
                return Err(Error::last_os_error());
            }
            Ok(())
        });
    }
    let line = line.join(" ");
    let start = Instant::now();
    let child = command.spawn().with_context(|| format!("start {line}"))?;
    Ok(StartedProcess {
        line,
        start,
        child,
        said,
    })
}

/// Runs a program to its end, which must be a success.
pub fn run(netns: &str, line: &[String]) -> Result<(Run, String)> {
    start(netns, line, Output::Null)?.wait()
}

fn duration(time: libc::timeval) -> Result<Duration> {
    Ok(
        Duration::from_secs(u64::try_from(time.tv_sec)?)
            + Duration::from_micros(u64::try_from(time.tv_usec)?),
    )
}

/// A file without a name.
fn temporary() -> Result<File> {
    // SAFETY: the name is a C string that outlives the call.
    let fd = unsafe { libc::memfd_create(c"bench".as_ptr(), libc::MFD_CLOEXEC) };
    ensure!(fd >= 0, "make a temporary file: {}", Error::last_os_error());
    // SAFETY: the descriptor is new, and has no other owner.
    Ok(unsafe { std::os::fd::FromRawFd::from_raw_fd(fd) })
}
