//! rsct called `nfct` behaves as `nfct`: both run the same command lines, each in a namespace of its own, and their
//! output, their exit codes, and the state of the kernel after each line are compared.

mod lab;
mod lines;
mod surroundings;

use anyhow::Result;

use super::grid::Report;
use lab::{CommandLine, NfctLab};

/// Wrong command lines, and command lines without a request: words in both orders, their prefixes, too few and too
/// many.
pub fn words() -> Result<()> {
    compare(&lines::words(), 600)
}

/// Policies and defaults of every protocol.
pub fn timeouts() -> Result<()> {
    compare(&lines::timeouts(), 700)
}

/// Helpers in user space; if the kernel has none of them, both report it.
pub fn helpers() -> Result<()> {
    compare(&lines::helpers(), 100)
}

/// Conditions outside the command line: capabilities, files, pipes.
pub fn surroundings() -> Result<()> {
    surroundings::run()
}

/// A part of it, for guests, where time is short and the kernel is the subject.
pub fn small() -> Result<()> {
    compare(&lines::of_the_kernel(), 120)
}

fn compare(lines: &[CommandLine], at_least: usize) -> Result<()> {
    let lab = NfctLab::new()?;
    let mut report = Report::default();
    lab.compare(lines, &mut report)?;
    report.end(at_least)
}
