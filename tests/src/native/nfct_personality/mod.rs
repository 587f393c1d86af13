//! rsct called `nfct` says and does what `nfct` says and does: both are given the same command lines, each in a
//! namespace of its own, and what they print, their exit codes, and what is in the kernel after each are held against
//! each other.

mod lab;
mod lines;
mod surroundings;

use anyhow::Result;

use super::grid::Report;
use lab::{Lab, Line};

/// Command lines that go wrong, or ask for nothing: words in both orders, their beginnings, too few and too many.
pub fn words() -> Result<()> {
    compare(&lines::words(), 600)
}

/// Policies and defaults of every protocol.
pub fn timeouts() -> Result<()> {
    compare(&lines::timeouts(), 700)
}

/// Helpers in user space; where the kernel has none of them, both say so.
pub fn helpers() -> Result<()> {
    compare(&lines::helpers(), 100)
}

/// What is not on the command line: rights, files, pipes.
pub fn surroundings() -> Result<()> {
    surroundings::run()
}

/// A part of it, where time is short and the kernel is what is looked at.
pub fn small() -> Result<()> {
    compare(&lines::of_the_kernel(), 120)
}

fn compare(lines: &[Line], at_least: usize) -> Result<()> {
    let lab = Lab::new()?;
    let mut report = Report::default();
    lab.compare(lines, &mut report)?;
    report.end(at_least)
}
