//! The parts of the bench that work on a full table.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};

use super::{
    Bench, Section,
    compare::{Case, Target, compare},
    entries,
    process::{self, Output},
};

const BARE_DUMP: &str = "bare dump";
const BARE_CREATE: &str = "bare batched creator";
/// rsct's memory, whatever the size of the table.
const LARGE: u32 = 1_000_000;
const LIST_MIB: u64 = 16;
const LOAD_MIB: u64 = 32;

/// Measurement of a part; returns the number of missed targets.
type Measure = fn(&Bench) -> Result<u32>;

/// All parts.
pub const ALL: &[(Section, Measure)] = &[
    (Section::List, list),
    (Section::Filter, filter),
    (Section::Delete, delete),
    (Section::Load, load),
];

fn list(bench: &Bench) -> Result<u32> {
    let rsct = bench.rsct.as_str();
    let structured = [Target::AtMost(1.35, BARE_DUMP), Target::PeakMib(LIST_MIB)];
    let cases = [
        Case::new(BARE_DUMP, &[&bench.bare, "bench-bare", "dump"]),
        Case::new("conntrack -L", &["conntrack", "-L"]),
        Case::new("rsct list", &[rsct, "list"]).with(&[
            Target::AtMost(1.10, BARE_DUMP),
            Target::Faster(1.55, "conntrack -L"),
            Target::PeakMib(LIST_MIB),
        ]),
        Case::new("rsct list -o json", &[rsct, "list", "-o", "json"]).with(&structured),
        Case::new("conntrack -L -o xml", &["conntrack", "-L", "-o", "xml"]),
        Case::new("rsct list -o xml", &[rsct, "list", "-o", "xml"]).with(&structured),
        Case::new("rsct list -o save", &[rsct, "list", "-o", "save"]).with(&[Target::PeakMib(LIST_MIB)]),
        Case::new("rsct list -o wide", &[rsct, "list", "-o", "wide"]).with(&[Target::PeakMib(LIST_MIB)]),
    ];
    // A fast result must be complete too.
    for case in &cases[1..] {
        lists_all(bench, case)?;
    }
    let title = format!("The whole table of {} entries", bench.entries);
    compare(&bench.namespace.name, &title, bench.runs, &cases, || Ok(()))
}

fn filter(bench: &Bench) -> Result<u32> {
    let mut missed = 0;
    for arguments in [&["-p", "tcp", "--dport", "443"][..], &["-s", "10.0.0.5"]] {
        let shown = arguments.join(" ");
        let theirs = "conntrack";
        let cases = [
            Case::new(theirs, &[&["conntrack", "-L"], arguments].concat()),
            Case::new("rsct list", &[&[bench.rsct.as_str(), "list"], arguments].concat())
                .with(&[Target::Faster(5.0, theirs), Target::PeakMib(LIST_MIB)]),
        ];
        let lines = |case: &Case| lines(bench, case);
        ensure!(
            lines(&cases[0])? == lines(&cases[1])?,
            "conntrack and rsct list other entries with {shown}"
        );
        let title = format!("Of {} entries those with {shown}", bench.entries);
        missed += compare(&bench.namespace.name, &title, bench.runs, &cases, || Ok(()))?;
    }
    Ok(missed)
}

fn delete(bench: &Bench) -> Result<u32> {
    let rsct = bench.rsct.as_str();
    let theirs = "conntrack -D -p udp";
    // The targets are a large table's: in a small one the walk through a mostly empty hash dominates, and the kernel
    // needs the same time for both.
    let targets = |times| {
        let mut targets = vec![Target::PeakMib(LIST_MIB)];
        if bench.entries >= LARGE {
            targets.insert(0, Target::Faster(times, theirs));
        }
        targets
    };
    let cases = [
        Case::new(theirs, &["conntrack", "-D", "-p", "udp"]),
        Case::new("rsct delete -p udp", &[rsct, "delete", "-p", "udp"]).with(&targets(3.0)),
        Case::new("rsct delete -p udp -q", &[rsct, "delete", "-p", "udp", "-q"]).with(&targets(6.0)),
    ];
    let mut first = true;
    let title = format!("A quarter of {} entries is deleted", bench.entries);
    let missed = compare(&bench.namespace.name, &title, bench.runs, &cases, || {
        if !std::mem::take(&mut first) {
            // The last command left no entry: otherwise this creation would fail.
            bench.create(true)?;
        }
        bench.is_full()
    })?;
    bench.create(true)?;
    bench.is_full()?;
    Ok(missed)
}

fn load(bench: &Bench) -> Result<u32> {
    let file = Removed(std::env::temp_dir().join(format!("rsct-bench-{}.save", std::process::id())));
    entries::write_lines(&file.0, bench.entries)?;
    let path = file
        .0
        .to_str()
        .context("a temporary directory that is no UTF-8")?;
    let theirs = "conntrack -R";
    let count = bench.entries.to_string();
    let cases = [
        Case::new(BARE_CREATE, &[&bench.bare, "bench-bare", "create", &count]),
        Case::new(theirs, &["conntrack", "-R", path]),
        Case::new("rsct load", &[&bench.rsct, "load", path]).with(&[
            Target::AtMost(1.3, BARE_CREATE),
            Target::Faster(1.5, theirs),
            Target::PeakMib(LOAD_MIB),
        ]),
    ];
    let title = format!("{} entries are created from a file", bench.entries);
    let missed = compare(&bench.namespace.name, &title, bench.runs, &cases, || {
        // The previous command has created all entries, or the figures are of something else.
        bench.is_full()?;
        bench.empty()
    })?;
    bench.is_full()?;
    Ok(missed)
}

/// A file that is removed on drop.
pub struct Removed(pub PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn lists_all(bench: &Bench, case: &Case) -> Result<()> {
    let got = lines(bench, case)?;
    ensure!(
        got == bench.entries as usize,
        "`{}` shows {got} of {} entries",
        case.name,
        bench.entries
    );
    Ok(())
}

/// Number of entries that a case shows.
fn lines(bench: &Bench, case: &Case) -> Result<usize> {
    let file = Removed(std::env::temp_dir().join(format!("rsct-bench-{}.out", std::process::id())));
    process::start(&bench.namespace.name, &case.line, Output::File(&file.0))?.wait()?;
    super::count_entries(&file.0)
}
