//! `--netns all` shows every namespace's entries, each with its namespace.

use std::{fs, os::unix::fs::MetadataExt as _, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::namespace::{Namespace, rsct, succeeds};

pub fn run() -> Result<()> {
    let (red, blue) = (Namespace::new("red")?, Namespace::new("a-longer-blue")?);
    red.create("-p udp -s 10.9.9.1 -d 10.9.9.2 --sport 1 --dport 2 -t 300")?;
    blue.create("-p udp -s 10.9.9.1 -d 10.9.9.3 --sport 1 --dport 2 -t 300")?;
    let all = |args: &[&str]| {
        let mut command = Command::new(rsct());
        command
            .args(["list", "--netns", "all", "-s", "10.9.9.1"])
            .args(args);
        succeeds(&mut command)
    };

    let lines = all(&[])?;
    for (namespace, dst) in [(&red, "dst=10.9.9.2 "), (&blue, "dst=10.9.9.3 ")] {
        let line = lines
            .lines()
            .find(|line| line.contains(dst))
            .context("an entry is missing")?;
        let (column, rest) = line.split_once(' ').context("no column")?;
        ensure!(column == namespace.name, "{line}");
        ensure!(rest.trim_start().starts_with("udp      17 "), "{line}");
    }
    let mut starts = lines.lines().filter_map(|line| line.find("udp  "));
    let first = starts.next();
    ensure!(
        starts.all(|start| Some(start) == first),
        "columns don't line up:\n{lines}"
    );

    let json = all(&["-o", "json"])?;
    for namespace in [&red, &blue] {
        let inode = fs::metadata(format!("/run/netns/{}", namespace.name))?.ino();
        let objects: Vec<Value> = json.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let found = objects
            .iter()
            .find(|object| object["netns_name"] == namespace.name.as_str());
        let found = found.with_context(|| format!("{} is missing:\n{json}", namespace.name))?;
        ensure!(found["netns"] == inode, "{found}");

        // By inode number, the same namespace.
        let by_inode = succeeds(Command::new(rsct()).args(["list", "--netns", &inode.to_string()]))?;
        ensure!(by_inode.lines().count() == 1, "{by_inode}");
    }
    Ok(())
}
