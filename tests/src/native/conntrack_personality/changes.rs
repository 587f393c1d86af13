//! Commands that change a table: each tool has its own, filled alike, and after each step the tables are still alike.

use anyhow::{Context as _, Result};

use super::{
    grid::{self, Report},
    lab::{ConntrackLab, ConntrackTool, same},
    normal::Tables,
};
use crate::native::namespace::{Namespace, output};

/// Number of lines between comparisons of the tables.
const LOOK_EVERY: usize = 6;
const LINES: &str = include_str!("changes.txt");

pub fn run() -> Result<()> {
    let lab = ConntrackLab::new()?.with_labels()?;
    let namespaces = [lab.fill("theirs")?, lab.fill("ours")?];
    let both = [&namespaces[0], &namespaces[1]];
    let mut report = Report::default();
    let lines: Vec<&str> = grid::lines(LINES).collect();
    for lines in lines.split(|line| *line == "@fill") {
        let mut tries = 0;
        let section = loop {
            tries += 1;
            let section = section(&lab, both, lines)?;
            if !lab.has_lost_step() || tries == grid::TRIES {
                break section;
            }
            refill(&lab, both)?;
        };
        report.append(section);
        refill(&lab, both)?;
    }
    report.end(120)
}

fn refill(lab: &ConntrackLab, namespaces: [&Namespace; 2]) -> Result<()> {
    namespaces.iter().try_for_each(|namespace| lab.refill(namespace))
}

/// The lines from one filling to the next, each of which finds the result of the lines before.
fn section(lab: &ConntrackLab, both: [&Namespace; 2], lines: &[&str]) -> Result<Report> {
    let mut report = Report::default();
    for (index, line) in lines.iter().enumerate() {
        let said = lab.same(both, &grid::words(line), Tables::Alike);
        // An earlier difference shows in a later comparison too.
        let compared = match index % LOOK_EVERY {
            0 => said.and_then(|()| same_tables(lab, both)),
            _ => said,
        };
        report.add(line, compared);
    }
    report.add("at the end", same_tables(lab, both));
    Ok(report)
}

fn same_tables(lab: &ConntrackLab, namespaces: [&Namespace; 2]) -> Result<()> {
    let words = grid::words("-L -o extended,labels");
    let table = |namespace| {
        let listed = output(&mut lab.command(ConntrackTool::Conntrack, namespace, &words))?;
        anyhow::Ok(lab.normalised(&listed, Tables::Alike))
    };
    let (theirs, ours) = (table(namespaces[0])?, table(namespaces[1])?);
    same(&theirs, &ours).context("the tables are not alike any more")
}
