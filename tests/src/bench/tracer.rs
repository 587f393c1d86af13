//! A tracing program as a child: started, observed and stopped.

use std::{
    fs::{self, File},
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};

const OUT: &str = "/tmp/bench.out";
const ERR: &str = "/tmp/bench.err";
/// Longer than anything here, in the guest's own time.
const PATIENCE: Duration = Duration::from_secs(120);
const WINDOW: Duration = Duration::from_millis(100);
/// Number of windows without an opened file after which a tracer is at rest.
const STILL: usize = 5;
/// Minimum duration of [`Tracer::settle`].
pub const REST: Duration = Duration::from_millis(600);

/// A running tracer; killed when dropped.
pub struct Tracer {
    line: String,
    child: Child,
}

impl Tracer {
    /// Starts `line`, with its output into a file in memory.
    pub fn start(line: &[&str]) -> Result<Self> {
        let create = |file| File::create(file).with_context(|| format!("create {file}"));
        let mut command = Command::new(line[0]);
        command
            .args(&line[1..])
            .stdin(Stdio::null())
            .stdout(create(OUT)?)
            .stderr(create(ERR)?);
        // SAFETY: between fork and exec only prctl is called, which is async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let line = line.join(" ");
        let child = command.spawn().with_context(|| format!("start {line}"))?;
        Ok(Self { line, child })
    }

    /// Its standard output so far.
    pub fn out() -> Result<String> {
        let bytes = fs::read(OUT).with_context(|| format!("read {OUT}"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Its standard error so far.
    pub fn err() -> Result<String> {
        let bytes = fs::read(ERR).with_context(|| format!("read {ERR}"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Waits until `is_so`, checking every `pause`.
    pub fn until(
        &mut self,
        what: &str,
        pause: Duration,
        mut is_so: impl FnMut() -> Result<bool>,
    ) -> Result<()> {
        let start = Instant::now();
        while !is_so()? {
            if let Some(status) = self.child.try_wait()? {
                bail!("{} ended with {status}:\n{}", self.line, Self::err()?);
            }
            ensure!(
                start.elapsed() < PATIENCE,
                "{}: {what} did not come:\n{}",
                self.line,
                Self::err()?
            );
            thread::sleep(pause);
        }
        Ok(())
    }

    /// CPU time of its threads.
    pub fn on_cpu(&self) -> Result<Duration> {
        on_cpu(self.child.id())
    }

    /// Waits until it does only the work of an idle trace, and returns the CPU time of the work before that.
    pub fn settle(&self) -> Result<Duration> {
        let mut windows: Vec<Duration> = Vec::new();
        let (mut files, mut still) = (0, 0);
        loop {
            let before = self.on_cpu()?;
            thread::sleep(WINDOW);
            windows.push(self.on_cpu()?.saturating_sub(before));
            let now = fs::read_dir(format!("/proc/{}/fd", self.child.id()))?.count();
            still = if now == files { still + 1 } else { 0 };
            files = now;
            // It sleeps for long while the kernel attaches a program, and has more files then.
            if still < STILL {
                continue;
            }
            if let [.., a, b, c] = windows[..] {
                let (least, most) = (a.min(b).min(c), a.max(b).max(c));
                // Busy all the time is steady too.
                if most < WINDOW / 4 && most - least < WINDOW / 100 {
                    return Ok(windows.iter().map(|window| window.saturating_sub(most)).sum());
                }
            }
            ensure!(windows.len() < 1000, "{} is never idle", self.line);
        }
    }

    /// A size from its /proc/PID/status, in KiB.
    pub fn status_kib(&self, field: &str) -> Result<u64> {
        status_kib(self.child.id(), field)
    }

    /// Stops all of its threads; its eBPF programs go on.
    pub fn suspend(&self) -> Result<()> {
        self.signal(libc::SIGSTOP)
    }

    /// Lets them go on.
    pub fn resume(&self) -> Result<()> {
        self.signal(libc::SIGCONT)
    }

    fn signal(&self, signal: libc::c_int) -> Result<()> {
        let pid = i32::try_from(self.child.id())?;
        // SAFETY: kill accepts plain integers; the child is not reaped yet, so the number is still its own.
        let sent = unsafe { libc::kill(pid, signal) };
        ensure!(sent == 0, "{}: signal {signal} not sent", self.line);
        // Until it has taken effect.
        thread::sleep(WINDOW);
        Ok(())
    }

    /// Sends Ctrl-C; returns the time until its end.
    pub fn stop(self) -> Result<Duration> {
        let pid = i32::try_from(self.child.id())?;
        let start = Instant::now();
        // SAFETY: kill accepts plain integers; the child is not reaped yet, so the number is still its own.
        unsafe { libc::kill(pid, libc::SIGINT) };
        self.end(Duration::from_millis(1), || Ok(()))?;
        Ok(start.elapsed())
    }

    /// Waits for its end, which must be a success; calls `meanwhile` every `pause`.
    pub fn end(mut self, pause: Duration, mut meanwhile: impl FnMut() -> Result<()>) -> Result<()> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                let said = Self::err()?;
                ensure!(status.success(), "{} ended with {status}:\n{said}", self.line);
                return Ok(());
            }
            ensure!(start.elapsed() < PATIENCE, "{} does not end", self.line);
            meanwhile()?;
            thread::sleep(pause);
        }
    }
}

/// CPU time of the threads of a process.
pub fn on_cpu(pid: u32) -> Result<Duration> {
    let mut total = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat")).context("read schedstat")?;
        let first = text.split_whitespace().next().unwrap_or_default();
        total += first.parse::<u64>().context("read schedstat")?;
    }
    Ok(Duration::from_nanos(total))
}

/// A size from the /proc/PID/status of a process, in KiB.
pub fn status_kib(pid: u32, field: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/status"))?;
    text.lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))
        .and_then(|value| value.trim().strip_suffix(" kB")?.trim().parse().ok())
        .with_context(|| format!("/proc/PID/status has no {field}"))
}

impl Drop for Tracer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
