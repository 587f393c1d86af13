//! `-E`: both listen to the same namespace during the same changes.

use std::{
    fs,
    process::{Child, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use super::{
    grid::{self, Report},
    lab::{ConntrackLab, ConntrackTool, same},
    normal::Tables,
};
use crate::{lab::wait, native::namespace::Namespace};

/// Options of `-E`, and the signal that ends it.
const LINES: &[(&str, libc::c_int)] = &[
    ("-E", libc::SIGINT),
    ("--event conntrack", libc::SIGTERM),
    ("-E -e NEW", libc::SIGINT),
    ("-E -e new,destroy", libc::SIGTERM),
    ("-E -e UPDATES", libc::SIGINT),
    ("-E -e des", libc::SIGINT),
    ("-E -p tcp", libc::SIGINT),
    ("-E -p udp --dport 2", libc::SIGTERM),
    ("-E -f ipv6", libc::SIGINT),
    ("-E -s 10.3.0.0/24", libc::SIGINT),
    ("-E -m 9", libc::SIGINT),
    ("-E -w 3", libc::SIGINT),
    ("-E -n", libc::SIGINT),
    ("-E -o extended,id,timestamp,ktimestamp,labels", libc::SIGINT),
    ("-E -l office", libc::SIGINT),
    ("-E -o save -w 3", libc::SIGINT),
    ("-E -o xml -p 99", libc::SIGTERM),
    ("-E -b 1000000 -o id", libc::SIGINT),
    ("-E expect", libc::SIGINT),
    ("-E expect -o xml", libc::SIGTERM),
];

/// Changes, and the last of them.
const STORY: &str = "
    conntrack -F
    conntrack -I -p tcp -s 10.3.0.1 -d 10.3.0.2 --sport 1 --dport 2 --state ESTABLISHED -t 1000 -m 5
    conntrack -I -p udp -s 10.3.0.1 -d 10.3.0.2 --sport 1 --dport 2 -t 1000
    conntrack -I -p udp -s 10.3.0.1 -d 10.3.0.2 --sport 2 --dport 2 -t 1000 -n 192.0.2.1:99 -w 3
    conntrack -I -p icmpv6 -s 2001:db8::1 -d 2001:db8::2 --icmpv6-type 128 --icmpv6-code 0 -t 1000
    conntrack -U -p tcp -s 10.3.0.1 -m 9
    conntrack -U -p udp -s 10.3.0.1 --sport 1 -u ASSURED
    bash -c 'echo x > /dev/udp/127.0.0.1/9' || true
    conntrack -D -p tcp -s 10.3.0.1
    conntrack -D -s 10.3.0.1
    conntrack -D -p icmpv6 -s 2001:db8::1
";

pub fn run() -> Result<()> {
    let lab = ConntrackLab::new()?.with_labels()?;
    let namespace = Namespace::new("events")?;
    namespace.sh("
        sysctl -qw net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1
        ip link set lo up
        iptables -A OUTPUT -m connlabel --label 3 --set
    ")?;
    let mut report = Report::default();
    for (line, signal) in LINES {
        report.add(line, listen(&lab, &namespace, line, *signal));
    }
    report.end(LINES.len())
}

fn listen(lab: &ConntrackLab, namespace: &Namespace, line: &str, signal: libc::c_int) -> Result<()> {
    let words = grid::words(line);
    let start = |tool, name: &str| {
        let out = fs::File::create(lab.path(name))?;
        let err = fs::File::create(lab.path(&format!("{name}.err")))?;
        let mut command = lab.command(tool, namespace, &words);
        let child = command.stdout(out).stderr(err).stdin(Stdio::null()).spawn();
        child.context("start listening")
    };
    let mut children = [
        start(ConntrackTool::Conntrack, "theirs")?,
        start(ConntrackTool::Rsct, "ours")?,
    ];
    let compared = outputs_agree(lab, namespace, &mut children, signal);
    for child in &mut children {
        let _ = child.kill();
        let _ = child.wait();
    }
    compared
}

fn outputs_agree(
    lab: &ConntrackLab,
    namespace: &Namespace,
    children: &mut [Child; 2],
    signal: libc::c_int,
) -> Result<()> {
    wait::until("both listen", || {
        let table = namespace.read("/proc/thread-self/net/netlink")?;
        let listening = table.lines().filter(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields.get(1) == Some(&"12") && fields.get(3).is_some_and(|groups| *groups != "00000000")
        });
        Ok(listening.count() >= 2)
    })?;
    namespace.sh(&format!("{{ {STORY} }} > /dev/null 2>&1 || true"))?;
    // All events have arrived, and the rest remains to be read.
    wait::until("both have read all", || {
        let table = namespace.read("/proc/thread-self/net/netlink")?;
        let waiting = table.lines().skip(1).any(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            fields.get(1) == Some(&"12") && fields.get(4).is_some_and(|bytes| *bytes != "0")
        });
        Ok(!waiting && wait::is_asleep(children[0].id())? && wait::is_asleep(children[1].id())?)
    })?;
    for child in children.iter() {
        // SAFETY: the process is a child that has not been waited for.
        unsafe { libc::kill(child.id().cast_signed(), signal) };
    }
    let mut said = Vec::new();
    for (child, name) in children.iter_mut().zip(["theirs", "ours"]) {
        let output = std::process::Output {
            status: child.wait()?,
            stdout: fs::read(lab.path(name))?,
            stderr: fs::read(lab.path(&format!("{name}.err")))?,
        };
        said.push(lab.normalised(&output, Tables::Same));
    }
    let [theirs, ours] = said.try_into().ok().context("two of them")?;
    ensure!(!theirs[1].is_empty(), "conntrack printed nothing at the end");
    same(&theirs, &ours)
}
