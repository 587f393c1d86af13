//! With few descriptors or without a second thread, a command does its work all the same, or one sentence names the
//! limit.

use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::{
    grid::{self, Report},
    namespace::{Namespace, output, rsct},
};
use crate::lab::inside::inside;

/// Command lines, each with a sufficient number of descriptors.
const LINES: &str = "
8 list
8 list -o json -p udp
6 count
6 stats
8 stats --interval 1s --count 0
8 save
8 get -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2
8 update -p udp --set-mark 3
8 update -p udp --set-mark 4 -q
8 delete -p udp --dry-run
8 delete -p tcp
8 flush --dry-run
8 load -
8 expect list
8 timeout show
8 timeout policy list
16 watch --duration 0s
12 expect watch --duration 0s
";
/// Commands that need a descriptor for each of the kernel's programs.
const OF_PROGRAMS: &[&str] = &[
    "trace --duration 0s",
    "latency --duration 0s",
    "why --duration 0s",
    "why udp src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 --duration 0s",
    "timeout expiring",
    "timeout why",
    "doctor",
    "list --netns all",
    "watch --netns all --duration 0s",
];
const FEWEST: u32 = 3;

pub fn run() -> Result<()> {
    let namespace = Namespace::new("few")?;
    namespace.create("-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 600")?;
    let mut report = Report::default();
    inside(&namespace.name, "few", || {
        for line in grid::lines(LINES) {
            let (enough, line) = line.split_once(' ').context("no number")?;
            let enough: u32 = enough.parse()?;
            for most in FEWEST..=enough {
                report.add(&format!("ulimit -n {most}; {line}"), limited(line, most, enough));
            }
        }
        for line in OF_PROGRAMS {
            for most in [FEWEST, 5, 7, 9, 14] {
                let ended = descriptors(line, most).and_then(|output| ends(&output));
                report.add(&format!("ulimit -n {most}; {line}"), ended);
            }
        }
        report.add("one thread", one_thread());
        Ok(())
    })?;
    report.end(100)
}

/// Runs a command line with this limit on descriptors.
fn limited(line: &str, most: u32, enough: u32) -> Result<()> {
    let limited = descriptors(line, most)?;
    ends(&limited)?;
    let said = String::from_utf8_lossy(&limited.stderr);
    if limited.status.code() == Some(1) && said.contains("ulimit -n") {
        ensure!(most < enough && said.lines().count() == 1, "{said}");
        return Ok(());
    }
    ensure!(!said.contains("Too many open files"), "{said}");
    Ok(())
}

fn descriptors(line: &str, most: u32) -> Result<Output> {
    let mut command = Command::new("prlimit");
    command.arg(format!("--nofile={most}")).arg("--").arg(rsct());
    output(command.args(grid::words(line)).stdin(Stdio::null()))
}

/// A user limited to one thread reads the table with it, and a message names the reason why nothing can be changed.
fn one_thread() -> Result<()> {
    let limited = |line: &str| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=64321", "--clear-groups", "--inh-caps=+net_admin"]);
        command.args(["--ambient-caps=+net_admin", "--"]);
        command.args(["prlimit", "--nproc=1", "--"]).arg(rsct());
        output(command.args(grid::words(line)))
    };
    let listed = limited("list")?;
    ensure!(
        listed.status.success() && listed.stdout.starts_with(b"udp "),
        "{listed:?}"
    );
    let deleted = limited("delete -p udp")?;
    let said = String::from_utf8_lossy(&deleted.stderr);
    ensure!(
        deleted.status.code() == Some(1) && said.lines().count() == 1 && said.contains("`ulimit -u`"),
        "{}: {said}",
        deleted.status
    );
    Ok(())
}

/// Checks that it ended by itself.
pub(super) fn ends(output: &Output) -> Result<()> {
    use std::os::unix::process::ExitStatusExt as _;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.signal().is_none() && !said.contains("panicked"),
        "{}\n{said}",
        output.status
    );
    Ok(())
}
