//! A running `rsct latency`, or `rsct record --latency`, and its measurements.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use super::{Line, Trace, json, trace::Ended, wait};
use crate::{guest::ATTACH, native::namespace};

/// Longer than any scenario lasts, which stops it.
const LONG: &str = "10m";

/// Starts a measurement that runs until it is stopped. `netns` is the value of `--netns`.
pub fn start(netns: &str, args: &[&str]) -> Result<Trace> {
    let mut command = Command::new(namespace::rsct());
    command
        .args(["latency", "-o", "json", "--duration", LONG, "--netns", netns])
        .args(args);
    if let Ok(mode) = std::env::var(ATTACH) {
        command.args(["--attach", &mode]);
    }
    Trace::of(command)
}

/// Measurements of one run.
pub struct Measured(pub Ended);

impl Measured {
    /// Stops it, and checks the conditions that every figure meets.
    pub fn of(latency: Trace) -> Result<Self> {
        Self::sound(latency.stop()?)
    }

    fn sound(ended: Ended) -> Result<Self> {
        let measured = Self(ended);
        ensure!(measured.0.status.success(), "{}", measured.told());
        for line in &measured.0.lines {
            match line.text("/type") {
                "latency" => are_sound(line, "/durations_ns")?,
                "gc" => {
                    for values in ["/hash_buckets", "/reaped", "/late_jiffies"] {
                        are_sound(line, values)?;
                    }
                }
                _ => {}
            }
        }
        Ok(measured)
    }

    /// Number of calls of a function that were timed under a key.
    pub fn count(&self, function: &str, key: &str) -> i64 {
        self.tally(function, key)
            .and_then(|line| line.number("/durations_ns/count"))
            .unwrap_or(0)
    }

    /// Number of calls of a function that were timed under any key.
    pub fn total(&self, function: &str) -> i64 {
        self.tallies(function)
            .filter_map(|line| line.number("/durations_ns/count"))
            .sum()
    }

    /// Nanoseconds of all of them.
    pub fn total_ns(&self, function: &str) -> i64 {
        self.tallies(function)
            .filter_map(|line| line.number("/durations_ns/sum"))
            .sum()
    }

    /// Measurement of a function under a key.
    pub fn tally(&self, function: &str, key: &str) -> Option<&Line> {
        self.tallies(function).find(|line| line.text("/key") == key)
    }

    fn tallies(&self, function: &str) -> impl Iterator<Item = &Line> {
        self.0.lines.iter().filter(move |line| {
            line.text("/type") == "latency" && is_whole(line) && line.text("/function") == function
        })
    }

    /// The line of the whole time that has this type.
    pub fn line(&self, of_type: &str) -> Result<&Line> {
        let line = self
            .0
            .lines
            .iter()
            .find(|line| line.text("/type") == of_type && is_whole(line));
        line.with_context(|| format!("no line {of_type}\n{}", self.told()))
    }

    /// All output, for a failure's message.
    pub fn told(&self) -> String {
        self.0.told()
    }
}

fn is_whole(line: &Line) -> bool {
    line.0.pointer("/whole") == Some(&true.into())
}

/// Quantiles rise and end below the largest, and the buckets hold what is counted.
fn are_sound(line: &Line, values: &str) -> Result<()> {
    let number = |name: &str| line.number(&format!("{values}/{name}"));
    let count = number("count").with_context(|| format!("no count: {line}"))?;
    let quantiles: Vec<i64> = ["p50", "p90", "p99", "p999", "max"]
        .iter()
        .filter_map(|name| number(name))
        .collect();
    ensure!(
        quantiles.len() == if count == 0 { 0 } else { 5 },
        "{count} values with {} figures: {line}",
        quantiles.len()
    );
    ensure!(quantiles.is_sorted(), "figures that don't rise: {line}");
    let buckets = line
        .0
        .pointer(&format!("{values}/histogram"))
        .and_then(|buckets| buckets.as_array())
        .with_context(|| format!("no buckets: {line}"))?;
    let of = |bucket: &serde_json::Value, key: &str| bucket[key].as_i64().unwrap_or(-1);
    let held: i64 = buckets.iter().map(|bucket| of(bucket, "count")).sum();
    ensure!(held == count, "{held} values in buckets of {count}: {line}");
    let least: i64 = buckets
        .iter()
        .map(|bucket| of(bucket, "from") * of(bucket, "count"))
        .sum();
    let most: i64 = buckets
        .iter()
        .map(|bucket| (of(bucket, "to") - 1) * of(bucket, "count"))
        .sum();
    let sum = number("sum").with_context(|| format!("no sum: {line}"))?;
    ensure!(
        (least..=most).contains(&sum),
        "a sum that the buckets can't have, of {least} to {most}: {line}"
    );
    Ok(())
}

/// A running `rsct record --latency`.
pub struct Recording {
    child: Child,
    file: PathBuf,
}

impl Recording {
    /// Starts it, and returns when its file has two readings. `netns` is the value of `--netns`.
    pub fn start(netns: &str, args: &[&str]) -> Result<Self> {
        let file = std::env::temp_dir().join(format!("rsct-latency-{}.rsct", std::process::id()));
        let mut command = Command::new(namespace::rsct());
        command
            .args(["record", "--latency", "--no-causes", "--netns", netns, "-O"])
            .arg(&file)
            .args(args)
            .stderr(Stdio::null());
        if let Ok(mode) = std::env::var(ATTACH) {
            command.args(["--attach", &mode]);
        }
        let child = command.spawn().with_context(|| format!("start {command:?}"))?;
        let recording = Self { child, file };
        wait::until("the recording has two readings", || {
            Ok(recording.reports(&[])?.status.success())
        })?;
        Ok(recording)
    }

    /// Ends it, and returns the reports of its file.
    pub fn stop(mut self) -> Result<Measured> {
        let pid = self.child.id().try_into().context("a process id")?;
        // SAFETY: a plain call; the child has not been waited for, so the id is its own.
        let sent = unsafe { libc::kill(pid, libc::SIGTERM) };
        ensure!(sent == 0, "stop the recording");
        ensure!(self.child.wait()?.success(), "the recording failed");
        let Output {
            status,
            stdout,
            stderr,
        } = self.reports(&["--interval", "1s"])?;
        let lines = json::lines(&String::from_utf8(stdout)?)?;
        Measured::sound(Ended {
            lines: lines.into_iter().map(Line).collect(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
            status,
        })
    }

    fn reports(&self, args: &[&str]) -> Result<Output> {
        let mut command = Command::new(namespace::rsct());
        command.args(["latency", "-o", "json", "--input"]).arg(&self.file);
        Ok(command.args(args).output()?)
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.file);
    }
}
