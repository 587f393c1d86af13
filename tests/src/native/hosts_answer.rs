//! Recordings of two hosts: each command's answer of each host is the answer of its recording alone, with the host's name.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::namespace::{output, rsct};
use crate::lab::json;

/// Recordings of two hosts; the second has neither causes nor durations.
const FILES: [(&str, &[u8]); 2] = [
    (
        "durations.rsct",
        include_bytes!("../../kept/version-1/durations.rsct"),
    ),
    ("udp.rsct", include_bytes!("../../../rsct/tests-data/udp.rsct")),
];
/// Command lines that answer from each recording.
const COMMANDS: &[&[&str]] = &[
    &["why", "unreplied"],
    &[
        "why",
        "udp",
        "src=192.168.34.12",
        "dst=192.168.34.11",
        "sport=40000",
        "dport=8888",
    ],
    &["timeout", "what-if", "udp", "unreplied=1"],
    &["list"],
];

/// A directory that is deleted on drop.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Scratch {
    fn new() -> Result<Self> {
        let scratch = Self(std::env::temp_dir().join(format!("rsct-hosts-{}", std::process::id())));
        fs::create_dir_all(&scratch.0)?;
        for (name, bytes) in FILES {
            fs::write(scratch.0.join(name), bytes)?;
        }
        Ok(scratch)
    }

    /// A command line with these recordings.
    fn command(&self, words: &[&str], form: &str, files: &[&str]) -> Command {
        let mut command = Command::new(rsct());
        command.args(words).args(["-o", form]);
        for file in files {
            command.arg("--input").arg(self.0.join(file));
        }
        command
    }

    fn succeeds(&self, words: &[&str], form: &str, files: &[&str]) -> Result<String> {
        let output = output(&mut self.command(words, form, files))?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{words:?} of {files:?}: {said}");
        Ok(String::from_utf8(output.stdout)?)
    }
}

pub fn run() -> Result<()> {
    let scratch = Scratch::new()?;
    let names = FILES.map(|(name, _)| name);
    for words in COMMANDS {
        let both = json::values(&scratch.succeeds(words, "json", &names)?)?;
        let mut alone = Vec::new();
        let mut hosts = Vec::new();
        for file in names {
            alone.extend(json::values(&scratch.succeeds(words, "json", &[file])?)?);
        }
        let unnamed: Vec<Value> = both
            .into_iter()
            .map(|mut line| {
                let host = line.as_object_mut().and_then(|line| line.remove("host"));
                hosts.extend(host);
                line
            })
            .collect();
        // The boot that began first answers first.
        let same = unnamed.len() == alone.len() && alone.iter().all(|line| unnamed.contains(line));
        ensure!(same, "{words:?}: {unnamed:?} instead of {alone:?}");
        ensure!(
            hosts.len() == unnamed.len(),
            "{words:?}: only {hosts:?} are named"
        );
        hosts.dedup();
        ensure!(hosts.len() == 2, "{words:?}: the hosts are {hosts:?}");

        let text = scratch.succeeds(words, "text", &names)?;
        for host in &hosts {
            let host = host.as_str().context("a name")?;
            let heading = format!("{host}:");
            ensure!(
                text.lines().any(|line| line == heading),
                "{words:?} has no heading {heading}\n{text}"
            );
        }
    }
    one_cannot_answer(&scratch, &names)
}

/// The host without causes and durations is reported, and the other answers.
fn one_cannot_answer(scratch: &Scratch, names: &[&str]) -> Result<()> {
    for (words, complaint) in [
        (&["latency"][..], "has no latency"),
        (&["why", "delete"], "has no two readings"),
        (&["why", "full"], "has no two readings"),
    ] {
        let said = fails(scratch, words, "text", names, 1)?;
        ensure!(said.contains(complaint), "{words:?}: {said}");
        ensure!(said.contains("rsct:\n"), "{words:?} has no answer: {said}");
    }
    let said = fails(scratch, &["list"], "xml", names, 2)?;
    ensure!(said.contains("entries of one host"), "{said}");
    let unknown = &["list", "--netns", "no-such"];
    let said = fails(scratch, unknown, "text", names, 2)?;
    ensure!(said.contains("no network namespace \"no-such\""), "{said}");
    Ok(())
}

/// The output and the messages of a command that ends with this code.
fn fails(scratch: &Scratch, words: &[&str], form: &str, names: &[&str], code: i32) -> Result<String> {
    let ended = scratch.command(words, form, names).output()?;
    ensure!(ended.status.code() == Some(code), "{words:?}: {ended:?}");
    let all = [ended.stdout, ended.stderr].concat();
    Ok(String::from_utf8_lossy(&all).into_owned())
}
