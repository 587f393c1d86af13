//! `cargo xtask fuzz`: libFuzzer on every parser of rsct that reads foreign input.
//!
//! The targets are `tests/fuzz/targets/*.rs`, each with a corpus in `tests/fuzz/corpus`. New inputs are kept under
//! target/fuzz: those with new coverage in `corpus`, those that fail in `crashes`.

use std::{
    collections::VecDeque,
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, ExitCode, Stdio},
    sync::Mutex,
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use clap::Args;

use crate::{exec, machine, paths, progress, report::Tally, toolchain};

/// The compiler's host, which is installed with the toolchain.
const HOST: &str = "x86_64-unknown-linux-gnu";
/// Compiler options that count branches and report comparisons, for libFuzzer.
const COVERAGE: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
];
/// Longer than any message of the kernel about one entry, shorter than some files.
const MOST_BYTES: u32 = 4096;
/// A slower input is taken for an endless loop.
const SLOW: Duration = Duration::from_secs(5);
const MOST_MIB: u32 = 512;

/// Fuzz rsct's parsers.
#[derive(Args)]
pub struct Options {
    /// Targets to run; all unless given
    targets: Vec<String>,
    /// Seconds per target
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Number of targets in parallel; one per CPU unless given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: Option<u32>,
}

/// Runs the subcommand.
pub fn run(options: &Options) -> Result<ExitCode> {
    let known = targets()?;
    for name in &options.targets {
        if !known.contains(name) {
            return Err(exec::Usage(format!("unknown fuzz target {name}: use {}", known.join(", "))).into());
        }
    }
    let wanted = if options.targets.is_empty() {
        known
    } else {
        options.targets.clone()
    };
    let tally = run_all(&wanted, options.seconds, options.jobs, |name, fed| {
        progress::hidden(|| match fed {
            Ok(figures) => println!("{name:<16} {figures}"),
            Err(error) => println!("{name:<16} FAILED\n{error:#}"),
        });
    })?;
    println!("\n{}", tally.closing());
    Ok(if tally.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Builds every target whose name contains `filter`, for `test`.
pub fn prepare(filter: Option<&str>) -> Result<()> {
    let wanted = matching(filter)?;
    if wanted.is_empty() { Ok(()) } else { build(&wanted) }
}

/// Runs every target whose name contains `filter` for some seconds; each counts as a test.
pub fn test(filter: Option<&str>, seconds: u32) -> Result<Tally> {
    let wanted = matching(filter)?;
    if wanted.is_empty() {
        return Ok(Tally::default());
    }
    run_all(&wanted, seconds, None, |_, _| ())
}

fn matching(filter: Option<&str>) -> Result<Vec<String>> {
    let mut names = targets()?;
    names.retain(|name| filter.is_none_or(|filter| name.contains(filter)));
    Ok(names)
}

/// The names of all targets, which are the names of their files.
fn targets() -> Result<Vec<String>> {
    let dir = paths::root().join("tests/fuzz/targets");
    let mut names = Vec::new();
    for file in fs::read_dir(&dir).with_context(|| format!("read {}", dir.display()))? {
        let path = file?.path();
        if let Some(name) = path.file_stem().and_then(|name| name.to_str()) {
            names.push(name.to_owned());
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn run_all(
    names: &[String],
    seconds: u32,
    jobs: Option<u32>,
    tell: impl Fn(&str, &Result<Figures>) + Sync,
) -> Result<Tally> {
    build(names)?;
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    let jobs = jobs.map_or(cpus, |jobs| jobs as usize).min(names.len());
    let queue: Mutex<VecDeque<&String>> = Mutex::new(names.iter().collect());
    let sum = Mutex::new(Tally::default());
    let locked = |poisoned: std::sync::PoisonError<_>| poisoned.into_inner();
    thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let Some(name) = queue.lock().unwrap_or_else(locked).pop_front() else {
                        break;
                    };
                    let fed = feed(name, seconds);
                    tell(name, &fed);
                    let complaint = fed.err().map(|error| format!("{error:#}"));
                    let name = format!("fuzz: {name}");
                    sum.lock()
                        .unwrap_or_else(|poisoned| poisoned.into_inner())
                        .add(Tally::one(&name, complaint));
                }
            });
        }
    });
    Ok(sum.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner()))
}

fn kept() -> PathBuf {
    paths::target().join("fuzz")
}

fn build(names: &[String]) -> Result<()> {
    machine::ensure(&[machine::FOR_BUILDS])?;
    toolchain::ensure_rust()?;
    let _step = progress::step("building the fuzz targets");
    let mut command = toolchain::cargo()?;
    command.args([
        "build",
        "--locked",
        "--package",
        "rsct-fuzz",
        "--features",
        "link",
    ]);
    command.args(["--profile", "fuzz", "--target", HOST]);
    for name in names {
        command.args(["--bin", name]);
    }
    command
        .env("CARGO_TARGET_DIR", kept().join("build"))
        .env("CARGO_ENCODED_RUSTFLAGS", COVERAGE.join("\x1f"));
    toolchain::without_ebpf(&mut command);
    exec::output(&mut command, "build the fuzz targets")?;
    Ok(())
}

/// Progress of a target.
#[derive(Debug, Default, PartialEq)]
struct Figures {
    executions: u64,
    /// Branches, and branches distinguished by how often they were executed.
    covered: u64,
    features: u64,
    /// Kept inputs: each covers something that no other does.
    corpus: u64,
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:>9} executions, {:>5} branches, {:>5} features, {:>5} inputs kept",
            self.executions, self.covered, self.features, self.corpus
        )
    }
}

impl Figures {
    /// Parses a status line of libFuzzer, such as `#4096 pulse cov: 310 ft: 905 corp: 64/9Kb lim: 68 exec/s: 2048 rss:
    /// 40Mb`, with a tab after the number.
    fn line(&mut self, line: &str) -> bool {
        let Some((executions, rest)) = line.strip_prefix('#').and_then(|rest| rest.split_once('\t')) else {
            return false;
        };
        let Ok(executions) = executions.trim().parse() else {
            return false;
        };
        self.executions = executions;
        let mut words = rest.split_whitespace();
        while let Some(word) = words.next() {
            let figure = match word {
                "cov:" => &mut self.covered,
                "ft:" => &mut self.features,
                "corp:" => &mut self.corpus,
                _ => continue,
            };
            let value = words.next().and_then(|value| value.split('/').next());
            *figure = value.and_then(|value| value.parse().ok()).unwrap_or(*figure);
        }
        true
    }
}

/// Runs one target for some seconds.
fn feed(name: &str, seconds: u32) -> Result<Figures> {
    let step = progress::step(format!("fuzz {name}"));
    let found = kept().join("corpus").join(name);
    let crashes = kept().join("crashes").join(name);
    for dir in [&found, &crashes] {
        fs::create_dir_all(dir).with_context(|| format!("make {}", dir.display()))?;
    }
    let mut command = program(name);
    command
        .arg(&found)
        .arg(paths::root().join("tests/fuzz/corpus").join(name))
        .arg(format!("-artifact_prefix={}/", crashes.display()))
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={MOST_BYTES}"))
        .arg(format!("-timeout={}", SLOW.as_secs()))
        .arg(format!("-rss_limit_mb={MOST_MIB}"))
        // The target's own output per input is dropped; a failure is repeated to see it.
        .arg("-close_fd_mask=3")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|error| exec::start_error(&command, &error, "run a fuzz target"))?;
    let mut figures = Figures::default();
    let mut last = VecDeque::new();
    let mut crash = None;
    if let Some(text) = child.stderr.take() {
        for line in BufReader::new(text).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            if figures.line(&line) {
                step.relabel(format!("fuzz {name}: {} executions", figures.executions));
                continue;
            }
            if let Some((_, path)) = line.split_once("Test unit written to ") {
                crash = Some(PathBuf::from(path.trim()));
            }
            last.push_back(line);
            if last.len() > 30 {
                last.pop_front();
            }
        }
    }
    let status = child.wait().context("wait for a fuzz target")?;
    if status.success() && figures.executions > 0 {
        return Ok(figures);
    }
    let text = Vec::from(last).join("\n");
    match crash {
        Some(path) => bail!("{}", failure(name, &path, &text)),
        None => bail!("{name} ended with {status} after {figures}:\n{text}"),
    }
}

/// Prefixes of libFuzzer's lines that do not describe a failure.
const CHATTER: &[&str] = &[
    "INFO: ",
    "WARNING: ",
    "NOTE: ",
    "      Combine",
    "SUMMARY: ",
    "Running: ",
    "/",
];

/// Output for a failing input, run again alone.
fn failure(name: &str, path: &std::path::Path, text: &str) -> String {
    let mut command = program(name);
    command.arg(path).env("RUST_BACKTRACE", "0");
    let again = match exec::capture(&mut command, "repeat the failure") {
        Ok(output) if !output.status.success() => String::from_utf8_lossy(&output.stderr).into_owned(),
        _ => text.to_owned(),
    };
    let lines: Vec<&str> = again
        .lines()
        .filter(|line| !CHATTER.iter().any(|begin| line.starts_with(begin)) && !line.is_empty())
        .take(20)
        .collect();
    format!("{} fails:\n{}", path.display(), lines.join("\n"))
}

fn program(name: &str) -> Command {
    Command::new(kept().join("build").join(HOST).join("fuzz").join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read() {
        let mut figures = Figures::default();
        assert!(!figures.line("INFO: Seed: 1"));
        assert!(!figures.line("#x\tNEW"));
        assert!(figures.line("#4096\tpulse  cov: 310 ft: 905 corp: 64/9Kb lim: 68 exec/s: 2048 rss: 40Mb"));
        let expected = Figures {
            executions: 4096,
            covered: 310,
            features: 905,
            corpus: 64,
        };
        assert_eq!(figures, expected);
        assert!(figures.line("#5000\tDONE   cov: 311 ft: 906 corp: 65/9Kb lim: 68 exec/s: 1666 rss: 41Mb"));
        assert_eq!((figures.executions, figures.covered), (5000, 311));
    }

    #[test]
    fn every_target_is_a_program_with_a_corpus() {
        let manifest = fs::read_to_string(paths::root().join("tests/fuzz/Cargo.toml")).unwrap();
        for name in targets().unwrap() {
            assert!(
                manifest.contains(&format!("name = \"{name}\"\npath = \"targets/{name}.rs\"")),
                "{name}"
            );
            let corpus = paths::root().join("tests/fuzz/corpus").join(&name);
            assert!(
                fs::read_dir(&corpus).is_ok_and(|mut files| files.next().is_some()),
                "{name}"
            );
        }
    }
}
