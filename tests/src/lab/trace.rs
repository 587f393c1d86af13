//! `rsct trace -o json` running during a scenario, which can wait for its lines.

use std::{
    io::{BufRead as _, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::{Line, json, wait::DEADLINE};
use crate::{guest::ATTACH, native::namespace};

/// A running trace, which ends when this is dropped.
pub struct Trace {
    child: Child,
    heard: Arc<Heard>,
    readers: Vec<JoinHandle<()>>,
}

/// Output of a trace that has ended.
pub struct Ended {
    /// Every line.
    pub lines: Vec<Line>,
    /// Its messages.
    pub stderr: String,
    /// Its exit status.
    pub status: ExitStatus,
}

#[derive(Default)]
struct Heard {
    so_far: Mutex<SoFar>,
    more: Condvar,
}

#[derive(Default)]
struct SoFar {
    lines: Vec<Line>,
    stderr: String,
    closed: bool,
    /// The error of the first line that is not of the schema.
    invalid: Option<String>,
}

impl Trace {
    /// Starts a trace that does not report causes, and returns when it sees every packet. `netns` is the value of
    /// `--netns`.
    pub fn start(netns: &str, args: &[&str]) -> Result<Self> {
        Self::of(Self::command(netns, &[args, &["--no-causes"]].concat()))
    }

    /// Starts a trace that reports causes, and returns when it does: about 25 more hooks are attached by then, so that
    /// the code that traffic runs through is no longer being patched.
    pub fn with_causes(netns: &str, args: &[&str]) -> Result<Self> {
        let trace = Self::of(Self::command(netns, args))?;
        trace.wait_for("causes are reported", |line| line.text("/type") == "causes")?;
        Ok(trace)
    }

    fn command(netns: &str, args: &[&str]) -> Command {
        let mut command = Command::new(namespace::rsct());
        command.args(["trace", "-o", "json", "--netns", netns]).args(args);
        if let Ok(mode) = std::env::var(ATTACH) {
            command.args(["--attach", &mode]);
        }
        command
    }

    /// Starts several traces at once, as [`Trace::start`] does one, and returns when all see every packet.
    pub fn start_all(netns: &str, each: &[Vec<&str>]) -> Result<Vec<Self>> {
        let traces = each
            .iter()
            .map(|args| Self::spawn(Self::command(netns, &[args, &["--no-causes"][..]].concat())))
            .collect::<Result<Vec<_>>>()?;
        for trace in &traces {
            trace.is_attached()?;
        }
        Ok(traces)
    }

    /// Starts a command, and returns when it has written `started`.
    pub fn of(command: Command) -> Result<Self> {
        let trace = Self::spawn(command)?;
        trace.is_attached()?;
        Ok(trace)
    }

    fn is_attached(&self) -> Result<()> {
        self.wait_for("it is attached", |line| line.text("/type") == "started")?;
        Ok(())
    }

    fn spawn(mut command: Command) -> Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("start {command:?}"))?;
        let heard = Arc::new(Heard::default());
        let readers = [
            child.stdout.take().map(|out| heard.clone().listen(out)),
            child.stderr.take().map(|err| heard.clone().overhear(err)),
        ];
        Ok(Self {
            child,
            heard,
            readers: readers.into_iter().flatten().collect(),
        })
    }

    /// The first line that `is_it` accepts, among those already read and those to follow.
    pub fn wait_for(&self, what: &str, is_it: impl Fn(&Line) -> bool) -> Result<Line> {
        let end = Instant::now() + DEADLINE;
        let mut asked = 0;
        let mut so_far = self.heard.lock();
        loop {
            if let Some(invalid) = &so_far.invalid {
                bail!("{invalid}\n{}", so_far.told());
            }
            if let Some(line) = so_far.lines[asked..].iter().find(|line| is_it(line)) {
                return Ok(line.clone());
            }
            asked = so_far.lines.len();
            let left = end.saturating_duration_since(Instant::now());
            if so_far.closed || left.is_zero() {
                let why = if so_far.closed {
                    "it ended"
                } else {
                    "it never came"
                };
                bail!("no line of the trace shows that {what}: {why}\n{}", so_far.told());
            }
            (so_far, _) = self
                .heard
                .more
                .wait_timeout(so_far, left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Number of lines written so far that `is_it` accepts.
    pub fn count(&self, is_it: impl Fn(&Line) -> bool) -> i64 {
        let lines = self.heard.lock();
        let count = lines.lines.iter().filter(|line| is_it(line)).count();
        i64::try_from(count).unwrap_or(i64::MAX)
    }

    /// Sum of `of_each` over the lines written so far.
    pub fn sum(&self, of_each: impl Fn(&Line) -> i64) -> i64 {
        self.heard.lock().lines.iter().map(of_each).sum()
    }

    /// Returns whether `is_it` accepts a line written so far.
    pub fn has(&self, is_it: impl Fn(&Line) -> bool) -> bool {
        self.heard.lock().lines.iter().any(is_it)
    }

    /// Ends it as a service manager would, and returns all output.
    pub fn stop(mut self) -> Result<Ended> {
        self.signal(libc::SIGTERM)?;
        self.ended()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for a message with these words on its standard error.
    pub fn wait_for_message(&self, words: &str) -> Result<()> {
        super::wait::until("rsct writes a message", || {
            let so_far = self.heard.lock();
            ensure!(
                !so_far.closed || so_far.stderr.contains(words),
                "rsct ended without {words:?}\n{}",
                so_far.told()
            );
            Ok(so_far.stderr.contains(words))
        })
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: i32) -> Result<()> {
        let pid = self.child.id().try_into().context("a process id")?;
        // SAFETY: a plain call; the child has not been waited for, so the id is its own.
        let sent = unsafe { libc::kill(pid, signal) };
        ensure!(sent == 0, "send signal {signal} to rsct");
        Ok(())
    }

    /// Waits until it ends by itself, and returns all output.
    pub fn ended(&mut self) -> Result<Ended> {
        let end = Instant::now() + DEADLINE;
        while self.child.try_wait()?.is_none() {
            ensure!(
                Instant::now() < end,
                "rsct does not end\n{}",
                self.heard.lock().told()
            );
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        let mut so_far = self.heard.lock();
        if let Some(invalid) = &so_far.invalid {
            bail!("{invalid}\n{}", so_far.told());
        }
        in_order(&so_far.lines)?;
        Ok(Ended {
            lines: std::mem::take(&mut so_far.lines),
            stderr: std::mem::take(&mut so_far.stderr),
            status: self.child.wait()?,
        })
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// The closing figures.
    pub fn summary(&self) -> Result<&Line> {
        self.lines
            .iter()
            .rfind(|line| line.text("/type") == "summary")
            .with_context(|| format!("the trace has no summary\n{}", self.told()))
    }

    /// All output, for a failure's message.
    pub fn told(&self) -> String {
        told(&self.lines, &self.stderr)
    }
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, SoFar> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn listen(self: Arc<Self>, out: impl Read + Send + 'static) -> JoinHandle<()> {
        std::thread::spawn(move || {
            let mut stream = json::Stream::default();
            for text in BufReader::new(out).lines().map_while(Result::ok) {
                // Output that is not JSON is kept for the message of the failure that follows.
                let line = stream.line(&text);
                let mut so_far = self.lock();
                match line {
                    Ok(None) => continue,
                    Ok(Some(value)) => so_far.lines.push(Line(value)),
                    Err(invalid) => {
                        so_far.invalid.get_or_insert(invalid.to_string());
                        so_far.lines.push(Line(Value::String(text)));
                    }
                }
                drop(so_far);
                self.more.notify_all();
            }
            self.lock().closed = true;
            self.more.notify_all();
        })
    }

    fn overhear(self: Arc<Self>, err: impl Read + Send + 'static) -> JoinHandle<()> {
        std::thread::spawn(move || {
            for text in BufReader::new(err).lines().map_while(Result::ok) {
                let stderr = &mut self.lock().stderr;
                stderr.push_str(&text);
                stderr.push('\n');
            }
        })
    }
}

impl SoFar {
    fn told(&self) -> String {
        told(&self.lines, &self.stderr)
    }
}

fn told(lines: &[Line], stderr: &str) -> String {
    let lines: Vec<String> = lines.iter().map(Line::to_string).collect();
    format!("rsct wrote:\n{}\nand on stderr:\n{stderr}", lines.join("\n"))
}

/// Checks that lines are in the order of time, or marked as late.
fn in_order(lines: &[Line]) -> Result<()> {
    let mut last = None;
    for line in lines {
        if !["packet", "entry", "cause"].contains(&line.text("/type")) || line.has("/late") {
            continue;
        }
        let time_ns = line.number("/time_ns");
        ensure!(
            time_ns.is_none() || last <= time_ns,
            "a line is out of order and not marked as late\n{}",
            told(lines, "")
        );
        last = last.max(time_ns);
    }
    Ok(())
}
