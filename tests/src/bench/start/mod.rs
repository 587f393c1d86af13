//! `bench start`: the cost until a command works and after Ctrl-C, and what the verifier walks for its programs.

mod bpftrace;
mod commands;
mod measured;
mod report;

use std::{fs, process::Command as Process};

use anyhow::{Context as _, Result, ensure};

use self::{
    commands::{COMMANDS, FirstEvent, MeasuredCommand},
    measured::Started,
};
use super::udp::LoadFlow;
use crate::native::namespace::succeeds;

/// Each command is started this often: the fewest instructions until the first event count, and the longest stop.
const STARTS: usize = 2;

/// Measures and prints; returns the number of missed targets.
pub fn run(only: Option<&str>) -> Result<u32> {
    let selected: Vec<&MeasuredCommand> = COMMANDS
        .iter()
        .filter(|command| only.is_none_or(|only| command.name == only))
        .collect();
    ensure!(
        !selected.is_empty(),
        "no command is called {}: use {}",
        only.unwrap_or_default(),
        COMMANDS.map(|command| command.name).join(", ")
    );
    succeeds(Process::new("modprobe").args(["-a", "nf_nat", "nfnetlink_cttimeout"]))
        .context("load the modules whose functions are hooked as well")?;
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    report::header(release.trim())?;
    let flow = LoadFlow::open()?;
    let mut missed = 0;
    let mut loaded = Vec::new();
    for command in &selected {
        let line: Vec<String> = command.line.iter().map(|&word| word.to_owned()).collect();
        let started = best(&flow, &line, command.kind).with_context(|| command.line.join(" "))?;
        missed += report::rsct(command, &started, release.trim());
        loaded.push((command.name, started.programs));
    }
    for script in bpftrace::SCRIPTS {
        if selected.iter().any(|command| script.compares_with(command)) {
            let line = script.line()?;
            let started = best(&flow, &line, script.kind).with_context(|| script.name)?;
            report::bpftrace(script.name, &started);
        }
    }
    report::programs(&loaded);
    Ok(missed)
}

fn best(flow: &LoadFlow, line: &[String], kind: FirstEvent) -> Result<Started> {
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    let mut best: Option<Started> = None;
    for _ in 0..STARTS {
        let started = measured::measure(flow, &line, kind)?;
        best = Some(match best {
            None => started,
            Some(best) => best.or(started),
        });
    }
    best.context("no start was measured")
}
