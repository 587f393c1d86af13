//! Runs the documented commands during traffic: watches side by side, and the others one after the other next to them.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, ensure};

use super::{
    check::{self, Known, Output},
    parser::Documented,
    rules::{self, Kind},
    stage::Stage,
    traffic,
};
use crate::lab::json;

/// Number of watches that run at once.
const AT_ONCE: usize = 3;
/// Longest time of a command, on a busy host.
const LONGEST: Duration = Duration::from_secs(300);
/// Lines of output in the message of a failure.
const MOST_LINES: usize = 12;

/// End of a command.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
    is_late: bool,
    seconds: f64,
}

/// Runs every documented command, and fails with a list of those whose exit code or output is wrong.
pub fn run() -> Result<()> {
    let commands = super::all()?;
    let stage = Stage::new(&commands)?;
    let of_kind = |kind| {
        commands
            .iter()
            .filter(move |command| rules::kind(&command.command) == kind)
    };
    // Each of these runs once, even if several pages show it.
    let once = |kind| -> BTreeSet<&str> { of_kind(kind).map(|command| command.command.as_str()).collect() };
    let mut shared = BTreeMap::new();
    for line in once(Kind::Alone) {
        shared.insert(line, run_line(&stage, line)?);
    }
    let plain: Vec<&Documented> = of_kind(Kind::Plain).collect();
    let stop = AtomicBool::new(false);
    let (watched, ended) = thread::scope(|scope| {
        let traffic = scope.spawn(|| traffic::send(&stage, &stop));
        let watched = scope.spawn(|| watch_all(&stage, once(Kind::Watch)));
        let ended: Result<Vec<_>> = plain.iter().map(|command| run_plain(&stage, command)).collect();
        let watched = watched.join().map_err(|_| anyhow!("the watches panicked"))?;
        stop.store(true, Ordering::Relaxed);
        let sent = traffic.join().map_err(|_| anyhow!("the traffic panicked"))?;
        sent.context("send traffic")?;
        anyhow::Ok((watched?, ended?))
    })?;
    shared.extend(watched);

    let mut known = Known {
        causes: Known::causes(&stage.sh("rsct why --causes")?),
        ..Known::default()
    };
    for ended in shared.values() {
        known.add(&ended.lines());
    }
    let mut of_plain = ended.iter();
    let mut all: Vec<(&Documented, &Ended)> = Vec::new();
    for command in &commands {
        let ended = match rules::kind(&command.command) {
            Kind::Cargo => None,
            Kind::Plain => of_plain.next(),
            Kind::Alone | Kind::Watch => shared.get(command.command.as_str()),
        };
        all.extend(ended.map(|ended| (command, ended)));
    }
    times(&all);
    let failed: Vec<String> = all
        .iter()
        .filter_map(|(command, ended)| ended.failure(command, &known))
        .collect();
    ensure!(
        failed.is_empty(),
        "{} of {} documented commands failed\n{}",
        failed.len(),
        all.len(),
        failed.join("\n")
    );
    Ok(())
}

/// Prints the slowest commands.
fn times(all: &[(&Documented, &Ended)]) {
    let mut slowest: Vec<_> = all
        .iter()
        .map(|(command, ended)| (ended.seconds, &command.command))
        .collect();
    slowest.sort_by(|one, other| other.0.total_cmp(&one.0));
    slowest.dedup();
    for (seconds, command) in slowest.into_iter().take(5) {
        println!("    {seconds:.1} s: {command}");
    }
}

fn watch_all<'a>(stage: &Stage, watches: BTreeSet<&'a str>) -> Result<BTreeMap<&'a str, Ended>> {
    let queue = Mutex::new(watches.into_iter());
    let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        let mut ended = Vec::new();
        while let Some(line) = next() {
            ended.push((line, run_line(stage, line)?));
        }
        anyhow::Ok(ended)
    };
    thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        let mut all = BTreeMap::new();
        for worker in workers {
            all.extend(worker.join().map_err(|_| anyhow!("a worker panicked"))??);
        }
        Ok(all)
    })
}

fn run_plain(stage: &Stage, command: &Documented) -> Result<Ended> {
    stage.prepare(&command.command)?;
    let ended = run_line(stage, &command.command)?;
    stage.restore(&command.command)?;
    Ok(ended)
}

fn run_line(stage: &Stage, line: &str) -> Result<Ended> {
    let begin = Instant::now();
    let line = rules::placed(&rules::shortened(line));
    let mut command = stage.shell(&line);
    let (mut child, readers) = spawn(&mut command).with_context(|| format!("start {line}"))?;
    let mut is_late = false;
    while child.try_wait()?.is_none() {
        if !is_late && begin.elapsed() > LONGEST {
            is_late = true;
            // SAFETY: a plain call; the group is the child's, which has not been waited for.
            unsafe { libc::kill(-(child.id().cast_signed()), libc::SIGKILL) };
        }
        thread::sleep(Duration::from_millis(20));
    }
    let [stdout, stderr] = readers.map(|reader| reader.join().unwrap_or_default());
    Ok(Ended {
        code: child.wait()?.code(),
        stdout,
        stderr,
        is_late,
        seconds: begin.elapsed().as_secs_f64(),
    })
}

/// Starts a command in a process group of its own, with a reader for each of its streams.
fn spawn(command: &mut Command) -> Result<(Child, [thread::JoinHandle<String>; 2])> {
    command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().context("a pipe")?;
    let stderr = child.stderr.take().context("a pipe")?;
    Ok((child, [read(stdout), read(stderr)]))
}

fn read(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

impl Ended {
    fn lines(&self) -> Vec<&str> {
        self.stdout.lines().chain(self.stderr.lines()).collect()
    }

    /// Everything that is wrong with it, for people.
    fn failure(&self, command: &Documented, known: &Known) -> Option<String> {
        let mut faults = Vec::new();
        let expected = rules::code(command);
        if self.is_late {
            faults.push(format!("it ran longer than {} s", LONGEST.as_secs()));
        } else if self.code != Some(expected) {
            let code = self
                .code
                .map_or("a signal".to_owned(), |code| format!("exit code {code}"));
            faults.push(format!("it ended with {code} instead of {expected}"));
        }
        if self.stderr.contains("panicked at") {
            faults.push("it panicked".to_owned());
        }
        if let Some(json) = rules::json(&command.command)
            && let Err(error) = json::validated(&json, self.code == Some(0), self.stdout.clone().into_bytes())
        {
            faults.push(format!("its JSON is wrong: {error:#}"));
        }
        if let Some(shown) = command
            .shown
            .as_ref()
            .filter(|_| !rules::is_cut(&command.command))
        {
            let shown: Vec<String> = shown.iter().map(|line| rules::renamed(line)).collect();
            let output = Output {
                lines: self.lines(),
                is_watch: rules::kind(&command.command) == Kind::Watch,
            };
            faults.extend(check::faults(&shown, &output, known));
        }
        if faults.is_empty() {
            return None;
        }
        let mut failure = format!("{}:{}: {}", command.page, command.line, command.command);
        for fault in faults {
            failure.push_str(&format!("\n  {fault}"));
        }
        let lines = self.lines();
        for line in lines.iter().take(MOST_LINES) {
            failure.push_str(&format!("\n    | {line}"));
        }
        if lines.len() > MOST_LINES {
            failure.push_str(&format!("\n    | … {} lines more", lines.len() - MOST_LINES));
        }
        Some(failure)
    }
}
