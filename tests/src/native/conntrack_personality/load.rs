//! `-R`: files of command lines, good and bad ones.

use std::{fs, io::Write as _, process::Stdio};

use anyhow::{Context as _, Result, ensure};

use super::{
    grid::{self, Report},
    lab::{ConntrackLab, ConntrackTool, same},
    normal::Tables,
};
use crate::native::namespace::{Namespace, output, succeeds};

const ONE: &str = "-A -p udp -s 10.4.0.1 -d 10.4.0.2 --sport 1 --dport 2 -t 1000";
const TWO: &str = "-A -p udp -s 10.4.0.1 -d 10.4.0.2 --sport 2 --dport 2 -t 1000";

pub fn run() -> Result<()> {
    let lab = ConntrackLab::new()?.with_labels()?;
    let namespaces = [Namespace::new("theirs")?, Namespace::new("ours")?];
    let both = [&namespaces[0], &namespaces[1]];
    let mut report = Report::default();
    let files = [
        ("two", format!("{ONE}\n{TWO}\n")),
        ("empty", String::new()),
        ("comments", format!("# comment\n\n   # another\n\t{ONE}\n")),
        ("unfinished", format!("{ONE}\n{TWO}")),
        ("blank end", format!("{ONE}\n   ")),
        (
            "all commands",
            format!(
                "{ONE}\n-I {}\n-U -s 10.4.0.1 -p udp --sport 1 -u ASSURED\n-D -p udp --sport 2\n{ONE}\n",
                &TWO[3..]
            ),
        ),
        (
            "quotes",
            "\"-A\" -p \"udp\" \"-s\"10.4.0.1 -d 10.4.0.2 --sport 1 --dport 2 -t \"10\\0\"0\n".into(),
        ),
        ("empty quotes", format!("{ONE} \"\"\n")),
        ("stray words", format!("x {ONE} y\n")),
        ("exists", format!("{ONE}\n-I {}\n{TWO}\n", &ONE[3..])),
        ("nothing to delete", format!("{ONE}\n-D -s 9.9.9.9\n{TWO}\n")),
        ("deleted", format!("{ONE}\n-D -s 10.4.0.1 -o extended\n{TWO}\n")),
        ("flushed", format!("{ONE}\n-F\n{TWO}\n")),
        ("list", format!("{ONE}\n-L\n")),
        (
            "get",
            format!("{ONE}\n-G -p udp -s 1.1.1.1 -d 1.1.1.1 --sport 1 --dport 1\n"),
        ),
        ("event", format!("{ONE}\n-E\n")),
        ("count", format!("{ONE}\n-C\n")),
        ("stats", "-S\n".into()),
        ("help", "-h\n".into()),
        ("version", "-V\n".into()),
        ("expect", format!("{ONE}\n-L expect\n-S\n")),
        ("expect event", "-E expect\n".into()),
        ("expect flush", "-F expect\n".into()),
        ("no command", "foo bar\n".into()),
        ("wrong option", format!("{ONE}\n-A -X\n{TWO}\n")),
        ("missing option", format!("{ONE}\n-A -p udp -t 5\n")),
        ("no argument", format!("{ONE}\n-A -p\n")),
        (
            "refused by the kernel",
            format!("{ONE}\n-I -p icmp -s 1.1.1.1 -d 1.1.1.2 --icmp-type 3 --icmp-code 0 -t 5\n{TWO}\n"),
        ),
        ("load in a file", "-R x\n".into()),
        ("long word", format!("-A {}\n", "x".repeat(1024))),
        ("many words", format!("-A {}\n", "x ".repeat(300))),
        ("long line", format!("-F {}\n", "x ".repeat(6000))),
    ];
    for (index, (name, file)) in files.iter().enumerate() {
        let path = lab.path("load");
        fs::write(&path, file)?;
        let load = |option: &str| {
            let words = [option.to_owned(), path.display().to_string()];
            lab.same(both, &words, Tables::Alike)
                .and_then(|()| same_tables(&lab, both))
        };
        report.add(&format!("-R {name}"), in_step(&lab, both, || load("-R"))?);
        // The other two forms differ little: every fifth file suffices.
        if index % 5 == 0 {
            let compared = in_step(&lab, both, || load("--load-file"))?;
            report.add(&format!("--load-file {name}"), compared);
            let compared = in_step(&lab, both, || from_pipe(&lab, both, &path))?;
            report.add(&format!("-R - {name}"), compared);
        }
    }
    report.add("-R - on a read-only root", read_only(&lab, both));
    empty(both)?;
    saved_and_loaded(&lab)?;
    report.end(40)
}

/// Compares, and repeats where conntrack has lost step; leaves both tables empty.
fn in_step(
    lab: &ConntrackLab,
    namespaces: [&Namespace; 2],
    compare: impl Fn() -> Result<()>,
) -> Result<Result<()>> {
    for _ in 1..grid::TRIES {
        let compared = compare();
        empty(namespaces)?;
        if !lab.has_lost_step() {
            return Ok(compared);
        }
    }
    let compared = compare();
    empty(namespaces)?;
    Ok(compared)
}

fn empty(namespaces: [&Namespace; 2]) -> Result<()> {
    for namespace in namespaces {
        succeeds(&mut namespace.command("conntrack", &["-F"]))?;
    }
    Ok(())
}

/// The same through standard input, which cannot be read twice.
fn from_pipe(lab: &ConntrackLab, namespaces: [&Namespace; 2], path: &std::path::Path) -> Result<()> {
    let words = ["-R".to_owned(), "-".to_owned()];
    let one = |tool, namespace| {
        let cat = std::process::Command::new("cat")
            .arg(path)
            .stdout(Stdio::piped())
            .spawn()?;
        let pipe = cat.stdout.context("no pipe")?;
        let done = output(lab.command(tool, namespace, &words).stdin(pipe))?;
        anyhow::Ok(lab.normalised(&done, Tables::Alike))
    };
    let theirs = one(ConntrackTool::Conntrack, namespaces[0])?;
    let ours = one(ConntrackTool::Rsct, namespaces[1])?;
    same(&theirs, &ours)?;
    same_tables(lab, namespaces)
}

/// No file can be written: all file systems are read-only, and the directory for temporary files is missing.
fn read_only(lab: &ConntrackLab, namespaces: [&Namespace; 2]) -> Result<()> {
    const SCRIPT: &str = "mount -o remount,bind,ro / && exec \"$0\" -R -";
    let one = |tool, namespace: &Namespace| {
        let mut command = namespace.command("unshare", &["-m", "sh", "-c", SCRIPT]);
        command.arg(lab.program(tool)).env("TMPDIR", "/no/such");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut stdin = child.stdin.take().context("no pipe")?;
        stdin.write_all(format!("{ONE}\n{TWO}\n").as_bytes())?;
        drop(stdin);
        anyhow::Ok(lab.normalised(&child.wait_with_output()?, Tables::Alike))
    };
    let theirs = one(ConntrackTool::Conntrack, namespaces[0])?;
    let ours = one(ConntrackTool::Rsct, namespaces[1])?;
    same(&theirs, &ours)?;
    let count = succeeds(&mut namespaces[1].command("conntrack", &["-C"]))?;
    ensure!(count.trim() == "2", "{count} entries are loaded of 2");
    same_tables(lab, namespaces)
}

fn same_tables(lab: &ConntrackLab, namespaces: [&Namespace; 2]) -> Result<()> {
    let words = grid::words("-L -o extended,labels");
    let table = |namespace| {
        let listed = output(&mut lab.command(ConntrackTool::Conntrack, namespace, &words))?;
        anyhow::Ok(lab.normalised(&listed, Tables::Alike))
    };
    same(&table(namespaces[0])?, &table(namespaces[1])?).context("the tables are not alike")
}

/// The output of `-o save` makes the same table again, with marks and labels.
fn saved_and_loaded(lab: &ConntrackLab) -> Result<()> {
    let from = lab.fill("from")?;
    let into = Namespace::new("into")?;
    into.sh("
        sysctl -qw net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1
        iptables -A OUTPUT -m connlabel --label 3 --set
    ")?;
    let saved = succeeds(&mut lab.command(ConntrackTool::Rsct, &from, &grid::words("-L -o save")))?;
    let path = lab.path("saved");
    fs::write(&path, &saved)?;
    let words = ["-R".to_owned(), path.display().to_string()];
    succeeds(&mut lab.command(ConntrackTool::Rsct, &into, &words))?;
    let again = succeeds(&mut lab.command(ConntrackTool::Rsct, &into, &grid::words("-L -o save")))?;
    let normal = |text: &str| super::normal::output(text, Tables::Alike);
    ensure!(
        saved.contains("--label-add") && saved.contains(" -m "),
        "nothing to lose:\n{saved}"
    );
    ensure!(
        normal(&saved) == normal(&again),
        "saved:\n{saved}and loaded:\n{again}"
    );
    Ok(())
}
