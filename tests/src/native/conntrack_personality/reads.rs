//! Commands that read a table without changing it: both read the same one.

use anyhow::Result;

use super::{
    grid::{self, Report},
    lab::ConntrackLab,
    normal::Tables,
};

const LINES: &str = include_str!("reads.txt");

pub fn run() -> Result<()> {
    compare(ConntrackLab::new()?.with_labels()?, 1, 250)
}

/// A part of them, for guests, where time is short and the kernel is the subject.
pub fn small() -> Result<()> {
    compare(ConntrackLab::new()?, 4, 50)
}

fn compare(lab: ConntrackLab, every: usize, at_least: usize) -> Result<()> {
    let namespace = lab.fill("reads")?;
    let mut report = Report::default();
    for line in grid::lines(LINES).step_by(every) {
        let compared = lab.same([&namespace; 2], &grid::words(line), Tables::Same);
        report.add(line, compared);
    }
    report.end(at_least)
}
