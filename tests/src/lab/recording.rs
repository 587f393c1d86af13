//! A recorder beside a live question, and the answers of `rsct why --input` from its file.

use std::{
    fs,
    path::PathBuf,
    process::{Command, id},
};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{recorder::Recorder, wait, why::Answer};
use crate::native::namespace;

/// A running `rsct record` that counts causes.
pub struct Recording {
    recorder: Recorder,
    file: Recorded,
}

/// Its file.
pub struct Recorded(PathBuf);

impl Recording {
    /// Starts it, and returns when it records causes and their counts.
    pub fn start(netns: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("why-{}.rsct", id()));
        // One of an earlier scenario would have counts at once.
        let _ = fs::remove_file(&path);
        let recorder = Recorder::start(netns, &path, &[])?;
        let file = Recorded(path);
        // The file has an answer once it has two readings of the counts.
        wait::until("the recording has counts", || {
            Ok(file.why("all").output()?.status.success())
        })?;
        Ok(Self { recorder, file })
    }

    /// Stops it.
    pub fn stop(self) -> Result<Recorded> {
        self.recorder.stop()?;
        Ok(self.file)
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
