//! Each command where something is missing or forbidden: capabilities, /proc, a writable file system, standard error,
//! descriptors.

use std::{
    fs,
    io::Write as _,
    process::{Child, Command, Output, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use super::{
    grid::{self, Report},
    lab::{ConntrackLab, ConntrackTool, same},
    normal::Tables,
};
use crate::{lab::wait, native::namespace::Namespace};

/// Commands of a shell before it executes the tool, `"$@"`.
const SURROUNDINGS: &[(&str, &str)] = &[
    (
        "an ordinary user",
        "exec setpriv --reuid=64321 --regid=64321 --clear-groups -- \"$@\"",
    ),
    ("no /proc", "umount -l /proc && exec \"$@\""),
    (
        "a user without /proc",
        "umount -l /proc && exec setpriv --reuid=64321 --regid=64321 --clear-groups -- \"$@\"",
    ),
    (
        "a read-only root",
        "mount -o remount,bind,ro / && TMPDIR=/no/such exec \"$@\"",
    ),
    ("standard error closed", "exec \"$@\" 2>&-"),
    ("standard output closed", "exec \"$@\" >&-"),
    // The original tool's loader needs one more than the tool.
    ("5 descriptors", "ulimit -n 5; exec \"$@\""),
    ("8 descriptors", "ulimit -n 8; exec \"$@\""),
];

/// Each command, those first that change nothing. `-R -` reads [`FILE`], and `-E` ends by itself.
const LINES: &str = "
-L
-L -o extended,id,ktimestamp -p udp
-L -o xml
-L -p sctp
-L dying
-G -p udp -s 10.5.0.1 -d 10.5.0.2 --sport 1 --dport 2
-C
-S
-L expect
-C expect
-S expect
-G expect -p tcp -s 10.5.0.1 -d 10.5.0.2 --sport 1 --dport 2
-E -e none-such
-V
-h
-X
-I -p udp -s 10.5.0.1 -d 10.5.0.3 --sport 1 --dport 2 -t 1000
-A -p udp -s 10.5.0.1 -d 10.5.0.3 --sport 1 --dport 2 -t 1000
-U -p udp -s 10.5.0.1 -d 10.5.0.2 -m 7
-R -
-D -p tcp
-D -p udp --dport 9
-I expect --orig-src 10.5.0.1 --orig-dst 10.5.0.2 --tuple-src 10.5.0.1 --tuple-dst 10.5.0.2 --mask-src 255.255.255.255 --mask-dst 255.255.255.255 -p tcp --sport 0 --dport 5 -t 60
-D expect --orig-src 10.5.0.1 --orig-dst 10.5.0.2 -p tcp --sport 0 --dport 5
-F expect
-F
";
const FILE: &str = "-A -p udp -s 10.5.0.1 -d 10.5.0.4 --sport 1 --dport 2 -t 1000\n";
/// Entries of each table.
const ENTRIES: &str = "
    -p udp -s 10.5.0.1 -d 10.5.0.2 --sport 1 --dport 2 -t 1000
    -p tcp -s 10.5.0.1 -d 10.5.0.2 --sport 1 --dport 2 -t 1000 --state ESTABLISHED
";

pub fn run() -> Result<()> {
    let lab = ConntrackLab::new()?;
    let namespaces = [Namespace::new("theirs")?, Namespace::new("ours")?];
    let mut report = Report::default();
    for (what, script) in SURROUNDINGS {
        for namespace in &namespaces {
            namespace.sh("conntrack -F; conntrack -F expect")?;
            namespace.create(ENTRIES)?;
        }
        for line in grid::lines(LINES) {
            let mut compared = both(&lab, &namespaces, script, line);
            for _ in 1..grid::TRIES {
                if !lab.has_lost_step() {
                    break;
                }
                compared = both(&lab, &namespaces, script, line);
            }
            report.add(&format!("{what}: {line}"), compared);
        }
        report.add(&format!("{what}: -E"), events(&lab, &namespaces, script));
    }
    report.end(SURROUNDINGS.len() * 25)
}

fn both(lab: &ConntrackLab, namespaces: &[Namespace; 2], script: &str, line: &str) -> Result<()> {
    // Both run at once.
    let theirs = start(lab, ConntrackTool::Conntrack, &namespaces[0], script, line)?;
    let ours = start(lab, ConntrackTool::Rsct, &namespaces[1], script, line)?;
    same(
        &lab.normalised(&theirs.wait_with_output()?, Tables::Alike),
        &lab.normalised(&ours.wait_with_output()?, Tables::Alike),
    )
}

fn command(lab: &ConntrackLab, tool: ConntrackTool, namespace: &Namespace, script: &str) -> Command {
    let mut command = namespace.command("unshare", &["-m", "bash", "-c", script, "bash"]);
    command.arg(lab.program(tool));
    command
}

fn start(
    lab: &ConntrackLab,
    tool: ConntrackTool,
    namespace: &Namespace,
    script: &str,
    line: &str,
) -> Result<Child> {
    let mut child = command(lab, tool, namespace, script)
        .args(grid::words(line))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // A tool that ends before it reads has closed the pipe.
    let _ = child.stdin.take().context("no pipe")?.write_all(FILE.as_bytes());
    Ok(child)
}

/// Each listens in its namespace during the same changes, and a signal ends them; or neither can listen.
fn events(lab: &ConntrackLab, namespaces: &[Namespace; 2], script: &str) -> Result<()> {
    let mut children = Vec::new();
    for (tool, namespace) in [ConntrackTool::Conntrack, ConntrackTool::Rsct]
        .into_iter()
        .zip(namespaces)
    {
        let out = lab.path(&format!("events-{}", children.len()));
        let child = command(lab, tool, namespace, script)
            .arg("-E")
            .stdin(Stdio::null())
            .stdout(fs::File::create(&out)?)
            .stderr(Stdio::piped())
            .spawn()?;
        children.push((child, out));
    }
    let mut said = Vec::new();
    for ((mut child, out), namespace) in children.into_iter().zip(namespaces) {
        wait::until("it listens or has ended", || {
            Ok(child.try_wait()?.is_some() || listens(namespace)?)
        })?;
        if child.try_wait()?.is_none() {
            namespace.create("-p udp -s 10.5.0.1 -d 10.5.0.5 --sport 1 --dport 2 -t 1000")?;
            namespace.sh("conntrack -D -d 10.5.0.5")?;
            wait::until("it has read what happened", || {
                Ok(!has_waiting(namespace)? && wait::is_asleep(child.id())?)
            })?;
            // SAFETY: the process is a child that has not been waited for.
            unsafe { libc::kill(child.id().cast_signed(), libc::SIGINT) };
        }
        let ended = child.wait_with_output()?;
        let ended = Output {
            stdout: fs::read(out)?,
            ..ended
        };
        said.push(lab.normalised(&ended, Tables::Alike));
    }
    ensure!(said.len() == 2, "two of them");
    same(&said[0], &said[1])
}

fn listens(namespace: &Namespace) -> Result<bool> {
    Ok(sockets(namespace)?.any(|socket| socket.groups != "00000000"))
}

fn has_waiting(namespace: &Namespace) -> Result<bool> {
    Ok(sockets(namespace)?.any(|socket| socket.waiting != "0"))
}

/// A netfilter netlink socket, as listed in /proc/net/netlink.
struct Listed {
    groups: String,
    waiting: String,
}

fn sockets(namespace: &Namespace) -> Result<impl Iterator<Item = Listed>> {
    let table = namespace.read("/proc/thread-self/net/netlink")?;
    let rows: Vec<Listed> = table
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            (fields.get(1) == Some(&"12")).then(|| Listed {
                groups: fields.get(3).copied().unwrap_or_default().to_owned(),
                waiting: fields.get(4).copied().unwrap_or_default().to_owned(),
            })
        })
        .collect();
    Ok(rows.into_iter())
}
