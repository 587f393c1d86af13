//! `rsct record` running during a scenario, and the answers of `rsct why --input` from it.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::{wait::DEADLINE, why::Answer};
use crate::{guest::ATTACH, native::namespace};

/// A running `rsct record`.
pub struct Recording {
    child: Child,
    path: PathBuf,
}

/// Its file.
pub struct Recorded(PathBuf);

impl Recording {
    /// Starts it, and returns when it records causes and their counts.
    pub fn start(netns: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("why-{}.rsct", std::process::id()));
        // One of an earlier scenario would have counts at once.
        let _ = fs::remove_file(&path);
        let mut command = Command::new(namespace::rsct());
        command
            .args(["record", "--duration", "10m", "--netns", netns, "-O"])
            .arg(&path)
            .stdin(Stdio::null());
        if let Ok(mode) = std::env::var(ATTACH) {
            command.args(["--attach", &mode]);
        }
        let child = command.spawn().with_context(|| format!("start {command:?}"))?;
        let recording = Self { child, path };
        recording.has_counts()?;
        Ok(recording)
    }

    /// The file has an answer once it has two readings of the counts.
    fn has_counts(&self) -> Result<()> {
        let end = Instant::now() + DEADLINE;
        loop {
            let read = Recorded(self.path.clone());
            let ended = read.why("all").output()?;
            if ended.status.success() {
                return Ok(());
            }
            if Instant::now() > end {
                bail!(
                    "the recording has no counts: {}",
                    String::from_utf8_lossy(&ended.stderr)
                );
            }
            sleep(Duration::from_millis(250));
        }
    }

    /// Stops it.
    pub fn stop(mut self) -> Result<Recorded> {
        // SAFETY: no pointers; the child is not reaped yet, so its id is still its own.
        ensure!(unsafe { libc::kill(self.child.id() as libc::pid_t, libc::SIGINT) } == 0);
        let status = self.child.wait()?;
        ensure!(status.success(), "rsct record failed: {status}");
        Ok(Recorded(self.path.clone()))
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Recorded {
    fn why(&self, topic: &str) -> Command {
        let mut command = Command::new(namespace::rsct());
        command.arg("why");
        if topic != "all" {
            command.arg(topic);
        }
        command.args(["-o", "json", "--input"]).arg(&self.0);
        command
    }

    /// The answer to a topic.
    pub fn answer(&self, topic: &str) -> Result<Answer> {
        Answer::of(self.why(topic).output()?)
    }

    /// The answer, whose causes must be those of another answer.
    pub fn must_equal(&self, topic: &str, live: &Answer) -> Result<Answer> {
        let recorded = self.answer(topic)?;
        let [here, there] = [&recorded, live].map(|answer| Self::causes(&answer.line.0));
        ensure!(
            here == there || recorded.has_skips(),
            "the recording's causes differ\n{}\n{}",
            recorded.told,
            live.told
        );
        Ok(recorded)
    }

    /// The members that do not depend on the time of the watch.
    fn causes(line: &Value) -> Vec<Value> {
        let pick = |cause: &Value| {
            let members = [
                "cause",
                "count",
                "recorded",
                "namespaces",
                "places",
                "top_flows",
                "interfaces",
                "tasks",
                "listeners",
            ];
            members.iter().map(|member| cause[member].clone()).collect()
        };
        let mut causes: Vec<Value> = line["causes"]
            .as_array()
            .into_iter()
            .flatten()
            .map(pick)
            .collect();
        causes.sort_by_key(ToString::to_string);
        causes
    }
}
