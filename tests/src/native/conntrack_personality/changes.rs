//! What changes a table: each tool has one of its own, filled alike, and after each step they are alike still.

use anyhow::{Context as _, Result};

use super::{
    grid::{self, Report},
    lab::{Lab, Tool, same},
    normal::Tables,
};
use crate::native::namespace::{Namespace, output};

/// How often the tables are looked at.
const LOOK_EVERY: usize = 6;
const LINES: &str = include_str!("changes.txt");

pub fn run() -> Result<()> {
    let lab = Lab::new()?.with_labels()?;
    let namespaces = [lab.fill("theirs")?, lab.fill("ours")?];
    let both = [&namespaces[0], &namespaces[1]];
    let mut report = Report::default();
    for (index, line) in grid::lines(LINES).enumerate() {
        if line == "@fill" {
            report.add("before it is filled anew", same_tables(&lab, both));
            for namespace in both {
                lab.refill(namespace)?;
            }
            continue;
        }
        let said = lab.same(both, &grid::words(line), Tables::Alike);
        // What went wrong before shows in a later look too.
        let compared = match index % LOOK_EVERY {
            0 => said.and_then(|()| same_tables(&lab, both)),
            _ => said,
        };
        report.add(line, compared);
    }
    report.add("at the end", same_tables(&lab, both));
    report.end(120)
}

fn same_tables(lab: &Lab, namespaces: [&Namespace; 2]) -> Result<()> {
    let words = grid::words("-L -o extended,labels");
    let table = |namespace| {
        let listed = output(&mut lab.command(Tool::Conntrack, namespace, &words))?;
        anyhow::Ok(lab.said(&listed, Tables::Alike))
    };
    let (theirs, ours) = (table(namespaces[0])?, table(namespaces[1])?);
    same(&theirs, &ours).context("the tables are not alike any more")
}
