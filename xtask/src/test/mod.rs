//! `cargo xtask test`: everything that can go wrong, from formatting to every kernel of the matrix.

use std::{
    process::{Command, ExitCode},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::{
    build, exec, fuzz,
    kernels::{self, MATRIX},
    lint::LINTS,
    machine, progress,
    report::{self, Scenarios, Tally},
    toolchain,
    vm::{self, Boot},
};

/// Far more than the scenarios of one kernel take, even beside another guest.
const GUEST_TIMEOUT: Duration = Duration::from_secs(2400);
/// How long each fuzz target is fed; its corpus alone takes less.
const FUZZ_SECONDS: u32 = 5;
/// In a guest's output, between the runs of two ways to attach.
const MARK: &str = "::attach ";
const CODE: &str = "::code ";

/// Run every test.
#[derive(Args)]
pub struct Options {
    /// A kernel for the guest tests, may be given more than once; all of the matrix otherwise
    #[arg(long = "kernel", value_name = "NAME")]
    kernels: Vec<String>,
    /// Run only these tests, may be given more than once
    #[arg(long, value_name = "KIND")]
    only: Vec<Kind>,
    /// How many guests run at a time
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: u32,
    /// Only tests whose name contains this
    filter: Option<String>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Kind {
    /// Formatting and clippy
    Lint,
    /// Unit and property tests
    Unit,
    /// Hostile input for everything that reads what others wrote, for some seconds
    Fuzz,
    /// Tests on this machine, in network namespaces of their own
    Native,
    /// Scenarios in guests
    Guest,
}

/// Runs the subcommand.
pub fn run(options: &Options) -> Result<ExitCode> {
    for kernel in &options.kernels {
        kernels::check(kernel)?;
    }
    let mut total = Tally::default();
    let wanted = |kind| options.only.is_empty() || options.only.contains(&kind);
    toolchain::ensure()?;
    // Lints have no names that a filter could mean.
    if wanted(Kind::Lint) && options.filter.is_none() {
        for lint in LINTS {
            suite(&mut total, lint.name, || {
                Ok(Tally::one(lint.name, lint.complaint()))
            });
        }
    }
    if wanted(Kind::Unit) {
        suite(&mut total, "unit", || unit(options.filter.as_deref()));
    }
    if wanted(Kind::Fuzz) {
        suite(&mut total, "fuzz", || {
            fuzz::test(options.filter.as_deref(), FUZZ_SECONDS)
        });
    }
    if wanted(Kind::Native) {
        suite(&mut total, "native", || native(options.filter.as_deref()));
    }
    if wanted(Kind::Guest) {
        guests(&mut total, options);
    }
    Ok(close(&total))
}

fn close(total: &Tally) -> ExitCode {
    for (name, reasons) in &total.failures {
        println!("\n---- {name} ----");
        if !reasons.is_empty() {
            println!("{}", reasons.trim_end());
        }
    }
    if total.passed == 0 && total.failures.is_empty() {
        println!("\nno test ran");
    }
    println!("\n{}", total.closing());
    if total.failures.is_empty() && total.passed > 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs one suite and adds it up; a suite that cannot run has failed.
fn suite(total: &mut Tally, name: &str, run: impl FnOnce() -> Result<Tally>) {
    let started = Instant::now();
    let tally = {
        let _step = progress::step(name);
        run().unwrap_or_else(|error| Tally::one(name, Some(format!("{error:#}"))))
    };
    finished(name, &tally, started);
    total.add(tally);
}

fn finished(name: &str, tally: &Tally, started: Instant) {
    let verdict = if tally.failures.is_empty() { "ok" } else { "FAILED" };
    let seconds = started.elapsed().as_secs();
    progress::hidden(|| {
        println!(
            "{name:<27} {verdict:<7} {:>4} tests, {} failed, {} skipped, in {seconds} s",
            tally.count(),
            tally.failures.len(),
            tally.skipped
        );
    });
}

fn unit(filter: Option<&str>) -> Result<Tally> {
    let mut command = toolchain::cargo()?;
    command.args(["test", "--locked", "--quiet", "--no-fail-fast"]);
    for package in ["rsct", "rsct-common", "rsct-tests", "xtask"] {
        command.args(["--package", package]);
    }
    command.arg("--").args(filter);
    let output = exec::capture(&mut command, "run the unit tests")?;
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() && !said.contains("test result: FAILED") {
        // It did not come to testing: the compiler says why.
        said.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    Ok(report::cargo_test(&said, output.status.success()))
}

fn native(filter: Option<&str>) -> Result<Tally> {
    if !exec::is_root() {
        progress::note("native tests are left out: they make network namespaces, which takes root");
        return Ok(Tally {
            skipped: 1,
            ..Tally::default()
        });
    }
    machine::ensure(&[machine::FOR_NATIVE_TESTS])?;
    build::ensure()?;
    let mut command = Command::new(build::built("rsct-tests"));
    build::beside(&mut command)?.arg("native").args(filter);
    let output = exec::capture(&mut command, "run the native tests")?;
    let mut scenarios = Scenarios::default();
    for part in [&output.stderr, &output.stdout] {
        for line in String::from_utf8_lossy(part).lines() {
            scenarios.line(line);
        }
    }
    Ok(named("native", scenarios.end(output.status.code().unwrap_or(-1))))
}

/// Every wanted kernel, a few at a time: a scenario waits more than it computes.
fn guests(total: &mut Tally, options: &Options) {
    if let Err(error) = vm::prepare() {
        total.add(Tally::one("guests", Some(format!("{error:#}"))));
        return;
    }
    let mut queue: Vec<&str> = if options.kernels.is_empty() {
        MATRIX.iter().map(|kernel| kernel.name).collect()
    } else {
        options.kernels.iter().map(String::as_str).collect()
    };
    queue.reverse();
    let queue = Mutex::new(queue);
    let sum = Mutex::new(Tally::default());
    let next = || {
        queue
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .pop()
    };
    thread::scope(|scope| {
        for _ in 0..options.jobs {
            scope.spawn(|| {
                while let Some(kernel) = next() {
                    let tally = guest(kernel, options.filter.as_deref());
                    sum.lock()
                        .unwrap_or_else(|poisoned| poisoned.into_inner())
                        .add(tally);
                }
            });
        }
    });
    total.add(sum.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()));
}

/// All the scenarios on one kernel, in one boot.
fn guest(kernel: &str, filter: Option<&str>) -> Tally {
    let modes: &[&str] = if kernels::by_name(kernel).is_none_or(|kernel| kernel.kprobe) {
        &["fentry", "kprobe"]
    } else {
        &["fentry"]
    };
    let filter = filter
        .map(|filter| vm::line(&[filter.to_owned()]))
        .unwrap_or_default();
    let script: String = modes
        .iter()
        .map(|mode| {
            format!(
                "echo '{MARK}{mode}'\nrsct-tests guest --attach {mode} {filter} 2>&1\necho \"{CODE}$?\"\n"
            )
        })
        .collect();
    let mut run = GuestRun::new(kernel);
    let boot = Boot {
        kernel,
        script,
        timeout: Some(GUEST_TIMEOUT),
        ..Boot::default()
    };
    let ended = boot.run(&mut |bytes| run.bytes(bytes));
    run.end(modes, ended.err())
}

/// What one guest has said until now.
struct GuestRun<'a> {
    kernel: &'a str,
    step: progress::Step,
    buffer: Vec<u8>,
    mode: String,
    scenarios: Scenarios,
    started: Instant,
    done: usize,
    sum: Tally,
}

impl<'a> GuestRun<'a> {
    fn new(kernel: &'a str) -> Self {
        Self {
            kernel,
            step: progress::step(format!("guest {kernel}")),
            buffer: Vec::new(),
            mode: String::new(),
            scenarios: Scenarios::default(),
            started: Instant::now(),
            done: 0,
            sum: Tally::default(),
        }
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        while let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.buffer.drain(..=end).collect();
            self.line(String::from_utf8_lossy(&line).trim_end());
        }
    }

    fn line(&mut self, line: &str) {
        if let Some(mode) = line.strip_prefix(MARK) {
            self.mode = mode.to_owned();
        } else if let Some(code) = line.strip_prefix(CODE) {
            let tally = std::mem::take(&mut self.scenarios).end(code.parse().unwrap_or(-1));
            self.done += 1;
            self.finish(tally);
        } else if let Some(name) = self.scenarios.line(line) {
            let count = self.scenarios.so_far().count();
            self.step.say(format!(
                "guest {} {}: {count} done, {name}",
                self.kernel, self.mode
            ));
        }
    }

    fn finish(&mut self, tally: Tally) {
        let name = format!("guest {} {}", self.kernel, self.mode);
        let tally = named(&name, tally);
        finished(&name, &tally, self.started);
        self.started = Instant::now();
        self.sum.add(tally);
    }

    fn end(mut self, modes: &[&str], error: Option<anyhow::Error>) -> Tally {
        if let Some(error) = error {
            let mut tally = std::mem::take(&mut self.scenarios).interrupted();
            let last = tally.count();
            tally.add(Tally::one("boot", Some(format!("after {last} tests: {error:#}"))));
            self.finish(tally);
        } else if self.done < modes.len() {
            let missing = format!("only {} of {} runs ended", self.done, modes.len());
            self.finish(Tally::one("boot", Some(missing)));
        }
        self.sum
    }
}

/// The same tally with each failure named after where it happened.
fn named(place: &str, mut tally: Tally) -> Tally {
    for (name, _) in &mut tally.failures {
        *name = format!("{place}: {name}");
    }
    tally
}
