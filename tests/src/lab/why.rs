//! `rsct why TOPIC -o json`, running until a scenario requests the answer.

use std::process::{Command, Output};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Line, Trace};
use crate::{guest::ATTACH, native::namespace};

/// A running `rsct why`.
pub struct Why {
    trace: Trace,
}

/// Its answer.
pub struct Answer {
    /// The answer's own line.
    pub line: Line,
    /// All output of rsct, for a failure's message.
    pub told: String,
    lines: Vec<Line>,
}

impl Why {
    /// Starts it, and returns when it sees every packet.
    pub fn start(topic: &str, netns: &str, args: &[&str]) -> Result<Self> {
        let mut command = Command::new(namespace::rsct());
        command
            .args(["why", topic, "-o", "json", "--duration", "10m", "--netns", netns])
            .args(args);
        if let Ok(mode) = std::env::var(ATTACH) {
            command.args(["--attach", &mode]);
        }
        Ok(Self {
            trace: Trace::of(command)?,
        })
    }

    /// Stops it and returns its answer.
    pub fn answer(self) -> Result<Answer> {
        let ended = self.trace.stop()?;
        let told = ended.told();
        let line = ended.lines.iter().find(|line| line.text("/type") == "why");
        let line = line
            .with_context(|| format!("there is no answer\n{told}"))?
            .clone();
        ensure!(ended.status.success(), "rsct failed\n{told}");
        Ok(Answer {
            line,
            told,
            lines: ended.lines,
        })
    }
}

impl Answer {
    /// Of a command that has ended.
    pub fn of(ended: Output) -> Result<Self> {
        let told = format!(
            "{}{}",
            String::from_utf8_lossy(&ended.stdout),
            String::from_utf8_lossy(&ended.stderr)
        );
        ensure!(ended.status.success(), "rsct failed\n{told}");
        let lines = String::from_utf8_lossy(&ended.stdout)
            .lines()
            .map(|line| Ok(Line(serde_json::from_str(line)?)))
            .collect::<Result<Vec<_>>>()?;
        let line = lines.iter().find(|line| line.text("/type") == "why");
        let line = line
            .with_context(|| format!("there is no answer\n{told}"))?
            .clone();
        Ok(Self { line, told, lines })
    }

    /// A line next to the answer itself.
    pub fn other(&self, kind: &str) -> Result<&Line> {
        let other = self.lines.iter().find(|line| line.text("/type") == kind);
        other.with_context(|| format!("there is no {kind}\n{}", self.told))
    }

    /// The member of the answer for a cause.
    pub fn cause(&self, name: &str) -> Option<Line> {
        let causes = self.line.0.pointer("/causes")?.as_array()?;
        causes
            .iter()
            .find(|cause| cause["cause"] == name)
            .map(|cause| Line(cause.clone()))
    }

    /// The member of the answer for a cause that must have occurred this number of times.
    pub fn met(&self, name: &str, count: i64) -> Result<Line> {
        let cause = self
            .cause(name)
            .with_context(|| format!("{name} did not occur\n{}", self.told))?;
        ensure!(
            cause.number("/count") == Some(count),
            "{name} did not occur {count} times\n{}",
            self.told
        );
        Ok(cause)
    }

    /// Number of occurrences of a cause.
    pub fn count(&self, name: &str) -> i64 {
        self.cause(name)
            .and_then(|cause| cause.number("/count"))
            .unwrap_or(0)
    }

    /// Checks that the answer agrees with the kernel's own counters, and that no record was lost.
    pub fn agrees(&self) -> Result<()> {
        let held = self.line.0.pointer("/comparisons").and_then(Value::as_array);
        let held = held.with_context(|| format!("there are no counters\n{}", self.told))?;
        ensure!(!held.is_empty(), "nothing was compared\n{}", self.told);
        for held in held {
            ensure!(
                held["agree"] == true,
                "the kernel counts otherwise: {held}\n{}",
                self.told
            );
        }
        ensure!(
            self.line
                .0
                .pointer("/losses")
                .and_then(Value::as_array)
                .is_some_and(Vec::is_empty),
            "something was lost\n{}",
            self.told
        );
        Ok(())
    }

    /// Returns whether the kernel skipped programs: on a busy machine, kprobes of several sessions run into each other.
    pub fn has_skips(&self) -> bool {
        std::env::var(ATTACH).is_ok_and(|mode| mode == "kprobe")
            && self.told.contains("the kernel skipped eBPF programs")
    }

    /// Checks that the answer agrees with the kernel's own counters. If programs were skipped, it must claim so only of
    /// equal counts, and must not claim a difference.
    pub fn agrees_unless_skipped(&self) -> Result<()> {
        if !self.has_skips() {
            return self.agrees();
        }
        let held = self.line.0.pointer("/comparisons").and_then(Value::as_array);
        for held in held.into_iter().flatten() {
            let counters = held["kernel_counters"].as_object().into_iter().flatten();
            let theirs: i64 = counters.filter_map(|(_, growth)| growth.as_i64()).sum();
            let is_equal = held["counted"] == theirs;
            ensure!(
                held["agree"].as_bool().is_none_or(|agree| agree && is_equal),
                "programs were skipped, and it claims: {held}\n{}",
                self.told
            );
        }
        Ok(())
    }

    /// Growth of one of the kernel's counters, according to the answer.
    pub fn counter(&self, name: &str) -> Option<i64> {
        let held = self.line.0.pointer("/comparisons")?.as_array()?;
        held.iter()
            .find_map(|held| held["kernel_counters"][name].as_i64())
    }
}
