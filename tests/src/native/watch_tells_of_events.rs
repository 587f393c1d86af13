//! Entries are created, changed and deleted: watch prints each event and the task that caused it, and skips events that
//! a filter does not match.

use std::{fs, os::unix::fs::MetadataExt as _};

use anyhow::{Context as _, Result, ensure};

use super::namespace::{Namespace, output, rsct};
use crate::{
    lab::{Line, Trace, wait::until},
    sentence::one_sentence,
};

const MADE: &str = "-p udp -s 10.0.0.1 -d 10.0.1.1 --sport 1000 --dport 53 -t 300 -m 5
    -p tcp -s 10.0.0.1 -d 10.0.1.1 --sport 1000 --dport 80 -t 300 --state SYN_SENT";

fn is(line: &Line, event: &str, proto: &str) -> bool {
    line.text("/event") == event && line.text("/orig/proto") == proto
}

pub fn run() -> Result<()> {
    let namespace = Namespace::new("watched")?;
    namespace.sh("sysctl -qw net.netfilter.nf_conntrack_acct=1 net.netfilter.nf_conntrack_timestamp=1")?;
    all(&namespace)?;
    only_matching(&namespace)?;
    it_ends_by_itself(&namespace)?;
    everywhere(&namespace)?;
    for (args, sentence) in [
        ("-e SOMETHING", "invalid value 'SOMETHING'"),
        ("--buffer-size 1", "expected a number of bytes"),
        ("--buffer-size 2G", "expected a number of bytes"),
        ("--count 0", "invalid value '0'"),
        ("-p tcp -u ASSURED,!ASSURED", "both set and clear"),
    ] {
        let args: Vec<&str> = std::iter::once("watch").chain(args.split(' ')).collect();
        one_sentence(&mut namespace.rsct(&args), 2, sentence)?;
    }
    let mut unprivileged = namespace.command("setpriv", &["--bounding-set=-all", "--inh-caps=-all"]);
    unprivileged.arg("--").arg(rsct()).arg("watch");
    one_sentence(&mut unprivileged, 1, "not permitted")
}

fn all(namespace: &Namespace) -> Result<()> {
    let watch = Trace::of(namespace.rsct(&["watch", "-o", "json"]))?;
    namespace.create(MADE)?;
    let new = watch.wait_for("the UDP entry is created", |line| is(line, "new", "udp"))?;
    // The name is present only if the task is looked up before it ends.
    ensure!(
        ["conntrack", ""].contains(&new.text("/requester/progname")),
        "{new}"
    );
    ensure!(
        new.number("/requester/portid").is_some_and(|port| port != 0),
        "{new}"
    );
    ensure!(new.number("/mark") == Some(5), "{new}");
    namespace.sh("conntrack -U -f ipv4 -p udp -u ASSURED,SEEN_REPLY 2>&1")?;
    let update = watch.wait_for("it changed", |line| is(line, "update", "udp"))?;
    ensure!(update.lists("/status", "ASSURED"), "{update}");
    namespace.sh("conntrack -F 2>&1")?;
    let gone = watch.wait_for("it is deleted", |line| is(line, "destroy", "udp"))?;
    ensure!(gone.number("/id") == new.number("/id"), "{gone}\nis not\n{new}");
    ensure!(gone.number("/orig/packets") == Some(0), "{gone}");
    ensure!(gone.number("/stop_ns") >= gone.number("/start_ns"), "{gone}");
    watch.wait_for("the TCP entry is deleted", |line| is(line, "destroy", "tcp"))?;
    let ended = watch.stop()?;
    ensure!(ended.status.success(), "{}\n{}", ended.status, ended.told());
    let summary = ended.summary()?;
    for (name, number) in [
        ("/new", 2),
        ("/destroyed", 2),
        ("/lost_total", 0),
        ("/packets", 0),
    ] {
        ensure!(
            summary.number(name) == Some(number),
            "{name} is to be {number}: {summary}"
        );
    }
    ensure!(ended.stderr.contains("0 events lost."), "{}", ended.told());
    Ok(())
}

fn only_matching(namespace: &Namespace) -> Result<()> {
    let args = [
        "watch", "-o", "json", "-e", "destroy", "-p", "tcp", "--dport", "80",
    ];
    let watch = Trace::of(namespace.rsct(&args))?;
    namespace.create(MADE)?;
    namespace.sh("conntrack -D -p udp 2>&1; conntrack -D -p tcp 2>&1")?;
    watch.wait_for("the TCP entry is deleted", |line| is(line, "destroy", "tcp"))?;
    let ended = watch.stop()?;
    let events = ended.lines.iter().filter(|line| !line.text("/event").is_empty());
    ensure!(events.count() == 1, "{}", ended.told());
    Ok(())
}

/// Ends after this number of events; lines are conntrack's.
fn it_ends_by_itself(namespace: &Namespace) -> Result<()> {
    let mut ours = Trace::of(namespace.rsct(&["watch", "-o", "json", "--count", "3"]))?;
    let theirs = namespace
        .command("timeout", &["10"])
        .arg(rsct())
        .args(["watch", "--count", "2", "-e", "new"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()?;
    super::watch_survives_a_loss::listens(namespace, 2)?;
    namespace.create(MADE)?;
    let text = theirs.wait_with_output()?;
    namespace.sh("conntrack -F 2>&1")?;
    let ended = ours.ended()?;
    ensure!(ended.summary()?.number("/new") == Some(2), "{}", ended.told());
    let text = String::from_utf8(text.stdout)?;
    let text = text.replace(" 299 ", " 300 ");
    let begins = "    [NEW] udp      17 300 src=10.0.0.1 dst=10.0.1.1 sport=1000 dport=53 [UNREPLIED] src=10.0.1.1 \
                  dst=10.0.0.1 sport=53 dport=1000 mark=5 [USERSPACE] portid=";
    ensure!(text.starts_with(begins), "{text}");
    ensure!(text.lines().count() == 2, "{text}");
    Ok(())
}

/// A namespace that is created during the watch is joined, and one that is deleted is released, also if two watch.
fn everywhere(namespace: &Namespace) -> Result<()> {
    let watch = Trace::of(namespace.rsct(&["watch", "-o", "json", "--netns", "all"]))?;
    let other = Trace::of(namespace.rsct(&["watch", "-o", "json", "--netns", "all"]))?;
    let later = Namespace::new("later")?;
    let seen = until("the new namespace is watched", || {
        later.create("-p udp -s 10.0.0.7 -d 10.0.1.1 --sport 1000 --dport 53 -t 300")?;
        output(&mut later.command("conntrack", &["-F"]))?;
        Ok(watch.has(|line| line.text("/orig/src") == "10.0.0.7" && line.text("/netns_name") == later.name))
    });
    if let Err(error) = seen {
        return Err(error).context(watch.stop()?.told());
    }
    let inode = fs::metadata(format!("/run/netns/{}", later.name))?.ino();
    until("both watch the new namespace", || Ok(holders(inode)? >= 2))?;
    drop(later);
    until("both leave the deleted namespace", || Ok(holders(inode)? == 0))?;
    watch.stop()?;
    other.stop()?;
    Ok(())
}

/// Number of open files that refer to a network namespace.
fn holders(inode: u64) -> Result<usize> {
    let device = fs::metadata("/proc/self/ns/net")?.dev();
    let processes = fs::read_dir("/proc")?.flatten();
    let files = processes.filter_map(|process| fs::read_dir(process.path().join("fd")).ok());
    let refers = |file: &fs::DirEntry| {
        fs::metadata(file.path()).is_ok_and(|found| (found.dev(), found.ino()) == (device, inode))
    };
    Ok(files.flatten().flatten().filter(refers).count())
}
