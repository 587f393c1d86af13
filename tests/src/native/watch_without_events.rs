//! A namespace whose kernel sends no events is named before anything else: a watch of it is silent.

use std::process::Command;

use anyhow::{Result, ensure};
use serde_json::Value;

use super::namespace::{Namespace, output, rsct};

const NAMED: &str = "net.netfilter.nf_conntrack_events is 0";

pub fn run() -> Result<()> {
    let (silent, other) = (Namespace::new("silent")?, Namespace::new("other")?);
    silent.sh("echo 0 > /proc/sys/net/netfilter/nf_conntrack_events")?;
    other.sh("echo 1 > /proc/sys/net/netfilter/nf_conntrack_events")?;
    for command in [&["watch"][..], &["expect", "watch"]] {
        let within = |namespace: &Namespace| {
            let args = [command, &["-o", "json", "--duration", "100ms"]].concat();
            lines_and_messages(&mut namespace.rsct(&args))
        };
        let (lines, said) = within(&silent)?;
        ensure!(
            lines[0]["type"] == "no_events" && lines[1]["type"] == "started" && said.contains(NAMED),
            "{command:?}: {lines:#?}\n{said}"
        );
        let (lines, said) = within(&other)?;
        ensure!(
            lines[0]["type"] == "started" && !said.contains(NAMED),
            "{command:?}: {lines:#?}\n{said}"
        );
        let mut from_outside = Command::new(rsct());
        from_outside
            .args(command)
            .args(["--netns", &silent.name, "-o", "json", "--duration", "100ms"]);
        let (lines, said) = lines_and_messages(&mut from_outside)?;
        ensure!(
            lines[0]["type"] == "no_events" && lines[0]["netns_name"] == silent.name.as_str(),
            "{command:?}: {lines:#?}\n{said}"
        );
        let named = format!("in network namespace {}: {NAMED}", silent.name);
        ensure!(said.contains(&named), "{command:?}: {said}");
    }
    Ok(())
}

/// The lines that a watch writes, and its messages.
fn lines_and_messages(command: &mut Command) -> Result<(Vec<Value>, String)> {
    let output = output(command)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    let lines = String::from_utf8(output.stdout)?;
    let lines: Vec<Value> = lines
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()?;
    ensure!(lines.len() >= 2, "{command:?} wrote {lines:?}");
    Ok((lines, said))
}
