//! rsct differs on purpose as `docs/conntrack.md` states, and conntrack really is different.

use anyhow::{Context as _, Result, ensure};

use super::{
    grid::{self, Report},
    lab::ConntrackLab,
    normal::Tables,
};
use crate::native::namespace::Namespace;

const LINES: &str = include_str!("deviations.txt");

pub fn run() -> Result<()> {
    let lab = ConntrackLab::new()?.with_labels()?;
    let namespaces = [lab.fill("theirs")?, lab.fill("ours")?];
    let both = [&namespaces[0], &namespaces[1]];
    let mut report = Report::default();
    for line in grid::lines(LINES) {
        if line.starts_with(['-', 'x']) {
            report.add(line, one(&lab, both, line));
        }
    }
    report.end(20)
}

fn one(lab: &ConntrackLab, namespaces: [&Namespace; 2], line: &str) -> Result<()> {
    let [command, code, lines, needle] = line
        .split(" | ")
        .collect::<Vec<_>>()
        .try_into()
        .ok()
        .context("not four fields")?;
    let [theirs, ours] = lab.both(namespaces, &grid::words(command))?;
    let stdout = String::from_utf8_lossy(&ours.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&ours.stderr).into_owned();
    let said = format!("{}\n{stdout}{stderr}", ours.status);
    ensure!(
        ours.status.code() == Some(code.parse()?),
        "exit code {code} expected: {said}"
    );
    ensure!(
        stdout.lines().count() == lines.parse::<usize>()?,
        "{lines} lines expected: {said}"
    );
    ensure!(
        stdout.contains(needle) || stderr.contains(needle),
        "{needle:?} expected: {said}"
    );
    let same = lab.normalised(&theirs, Tables::Alike) == lab.normalised(&ours, Tables::Alike);
    ensure!(!same, "conntrack does the same: {said}");
    Ok(())
}
