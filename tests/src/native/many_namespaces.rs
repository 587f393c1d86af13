//! A command that holds descriptors in each of many namespaces raises the limit on them as far as it may.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::namespace::{Namespace, output, rsct, succeeds};
use crate::sentence::one_sentence;

const NAMESPACES: usize = 24;
const LINES: [&[&str]; 4] = [
    &["watch", "--netns", "all", "--duration", "0s"],
    &["expect", "watch", "--netns", "all", "--duration", "0s"],
    &["list", "--netns", "all"],
    &["stats", "--netns", "all", "--interval", "1ms", "--count", "1"],
];

pub fn run() -> Result<()> {
    let namespaces = (0..NAMESPACES)
        .map(|_| Namespace::new("many"))
        .collect::<Result<Vec<_>>>()?;
    let last = namespaces.last().context("there are some")?;
    last.create("-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 600")?;
    // Both families are requested at once, over two sockets in the namespace.
    let found = succeeds(Command::new(rsct()).args(["count", "-p", "udp", "--netns", &last.name]))?;
    ensure!(found.trim() == "1", "{found} entries of 1");

    let limited = |limit: &str, words: &[&str]| {
        let mut command = Command::new("prlimit");
        command
            .arg(format!("--nofile={limit}"))
            .arg("--")
            .arg(rsct())
            .args(words);
        command
    };
    for words in LINES {
        let ended = output(&mut limited("20:4096", words))?;
        let said = String::from_utf8_lossy(&ended.stderr);
        ensure!(
            ended.status.success() && !said.contains("open files"),
            "{words:?}: {}\n{said}",
            ended.status
        );
    }
    one_sentence(&mut limited("20:20", LINES[0]), 1, "`ulimit -n`")
}
