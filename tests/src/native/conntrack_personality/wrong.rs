//! Wrong use, and commands that need no table.

use anyhow::Result;

use super::{
    grid::{self, Report},
    lab::ConntrackLab,
    normal::Tables,
};
use crate::native::namespace::Namespace;

const LINES: &str = include_str!("wrong.txt");

pub fn run() -> Result<()> {
    let lab = ConntrackLab::new()?;
    let namespace = Namespace::new("wrong")?;
    let mut report = Report::default();
    for line in grid::lines(LINES) {
        let compared = lab.same([&namespace; 2], &grid::words(line), Tables::Same);
        report.add(line, compared);
    }
    report.add("", lab.same([&namespace; 2], &[], Tables::Same));
    report.end(400)
}
