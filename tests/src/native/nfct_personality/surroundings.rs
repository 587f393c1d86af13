//! Conditions outside the command line.

use std::{
    fs::File,
    io,
    os::fd::OwnedFd,
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use super::lab::{NfctLab, NfctTool};
use crate::{
    lab::inside::inside,
    native::{
        grid::{self, Report},
        namespace::{Namespace, output},
    },
};

/// Shell scripts in which `$0` is the tool, each in a namespace of its own and with mounts of its own.
const SCRIPTS: &[&str] = &[
    // No capabilities.
    "setpriv --bounding-set -all --inh-caps -all $0 list timeout",
    "setpriv --bounding-set -all --inh-caps -all $0 add timeout a inet udp unreplied 5",
    "setpriv --bounding-set -all --inh-caps -all $0 default-set timeout inet udp unreplied 5",
    "setpriv --bounding-set -all --inh-caps -all $0 list helper",
    "setpriv --bounding-set -all --inh-caps -all $0 version list",
    // An ordinary user, no /proc, no writable file system, few descriptors.
    "for line in 'list timeout' 'add timeout a inet udp unreplied 5' 'delete timeout a' 'get timeout a' 'flush timeout' \
     'default-get timeout inet udp' 'list helper' 'flush helper'; do
         setpriv --reuid=64321 --regid=64321 --clear-groups $0 $line; echo $?; done",
    "umount -l /proc; for line in 'add timeout a inet udp unreplied 5' 'list timeout' 'get timeout a' \
     'default-set timeout inet udp unreplied 5' 'default-get timeout inet udp' 'flush timeout'; do $0 $line; echo $?; done",
    "mount -o remount,bind,ro /; for line in 'add timeout a inet udp unreplied 5' 'list timeout' 'get timeout a' \
     'default-set timeout inet udp unreplied 5' 'default-get timeout inet udp' 'flush timeout'; do $0 $line; echo $?; done",
    "for most in 4 5 8; do for line in 'add timeout a inet udp unreplied 5' 'list timeout' 'get timeout a' \
     'default-get timeout inet udp' 'list helper' 'flush timeout'; do (ulimit -n $most; $0 $line; echo $?); done; done",
    // A policy in use.
    "$0 add timeout used inet udp unreplied 5; $0 add timeout free inet udp unreplied 5
     iptables -t raw -A PREROUTING -p udp -j CT --timeout used || exit 99
     $0 delete timeout used; $0 flush timeout; $0 list timeout",
    // No /etc/protocols, an empty one, and a strange one.
    "mount -t tmpfs none /etc; $0 default-get timeout inet udp",
    "mount -t tmpfs none /etc; $0 default-get timeout inet icmpv6",
    "mount -t tmpfs none /etc; $0 add timeout a inet generic timeout",
    "mount -t tmpfs none /etc; $0 add timeout a inet generic x 1",
    "mount --bind /dev/null /etc/protocols; $0 default-get timeout inet udp",
    "mount --bind /dev/null /etc/protocols; $0 add timeout a inet icmpv6 timeout",
    "mount -t tmpfs none /etc; printf '  udp 6 UDP#x\\nbad x\\nbig 300 B\\nneg -1\\nplus +17 p' > /etc/protocols
     for name in udp UDP bad big B neg plus p x icmpv6; do $0 default-get timeout inet $name; done",
    // Sentences begin with the name by which it was called.
    "mount -t tmpfs none /mnt; ln -s $0 /mnt/nfct; cd /mnt; ./nfct; ./nfct list x; ./nfct disable timeout; ./nfct default-set helper; true",
    // Without a reader.
    "$0 add timeout a inet tcp close 5; $0 list timeout >&-; echo $?",
    "$0 list timeout 2>&-; $0 2>&-; echo $?",
];

pub fn run() -> Result<()> {
    let lab = NfctLab::new()?;
    let mut report = Report::default();
    for script in SCRIPTS {
        let [theirs, ours] = [
            script_of(&lab, NfctTool::Nfct, script)?,
            script_of(&lab, NfctTool::Rsct, script)?,
        ];
        report.add(
            script,
            grid::same(&["stdout", "stderr", "exit code"], &theirs, &ours),
        );
    }
    report.add("a closed pipe", closed_pipe(&lab));
    report.add("a full disk", full_disk(&lab));
    report.add("a number beyond the table", beyond_the_table(&lab));
    report.end(SCRIPTS.len())
}

fn script_of(lab: &NfctLab, tool: NfctTool, script: &str) -> Result<[String; 3]> {
    let run = shell(lab, tool, script, Stdio::piped())?;
    ensure!(run.status.code() != Some(99), "the script itself fails");
    Ok(lab.normalised(&run))
}

fn shell(lab: &NfctLab, tool: NfctTool, script: &str, stdout: Stdio) -> Result<Output> {
    let namespace = Namespace::new("nfct")?;
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", script]).arg(lab.program(tool));
    command.stdout(stdout);
    inside(&namespace.name, "rsct-tests", || output(&mut command))
}

/// Both are killed by the signal.
fn closed_pipe(lab: &NfctLab) -> Result<()> {
    let script = "exec $0 default-get timeout inet tcp";
    let run = |tool| {
        let (reader, writer) = io::pipe()?;
        drop(reader);
        anyhow::Ok(lab.normalised(&shell(lab, tool, script, OwnedFd::from(writer).into())?))
    };
    let [theirs, ours] = [run(NfctTool::Nfct)?, run(NfctTool::Rsct)?];
    ensure!(theirs[2].contains("signal"), "nfct ends with {}", theirs[2]);
    grid::same(&["stdout", "stderr", "exit code"], &theirs, &ours)
}

/// rsct reports a failed write, which nfct does not.
fn full_disk(lab: &NfctLab) -> Result<()> {
    let run = |tool| {
        let full = File::options()
            .write(true)
            .open("/dev/full")
            .context("open /dev/full")?;
        shell(lab, tool, "exec $0 default-get timeout inet tcp", full.into())
    };
    let theirs = run(NfctTool::Nfct)?;
    ensure!(theirs.status.success(), "nfct does the same");
    let ours = run(NfctTool::Rsct)?;
    let said = String::from_utf8_lossy(&ours.stderr);
    ensure!(
        ours.status.code() == Some(1)
            && said.contains("cannot write to standard output: No space left on device"),
        "{}: {said}",
        ours.status
    );
    Ok(())
}

/// nfct reads beyond its table of protocols, where the memory may hold anything.
fn beyond_the_table(lab: &NfctLab) -> Result<()> {
    let script =
        "mount -t tmpfs none /etc; echo big 300 > /etc/protocols; exec $0 add timeout a inet big x 1";
    let ours = shell(lab, NfctTool::Rsct, script, Stdio::piped())?;
    let said = String::from_utf8_lossy(&ours.stderr);
    ensure!(
        ours.status.code() == Some(1) && said.contains("Wrong state name: `x' for protocol `big'"),
        "{}: {said}",
        ours.status
    );
    Ok(())
}
