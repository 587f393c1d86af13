//! rsct deletes, changes and flushes entries that conntrack made: exactly the matching ones, and it reports them
//! correctly.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::{
    dying_are_listed,
    namespace::{Namespace, output, rsct, succeeds},
    table::{ENTRIES, same_since},
};
use crate::sentence::{deleted, one_sentence};

/// Filters that both tools accept.
const FILTERS: &[&[&str]] = &[
    &["-p", "tcp", "--dport", "443"],
    &["-s", "10.0.0.9"],
    &["-w", "7"],
    &["-m", "0x5/0xf"],
    &["-f", "ipv6"],
    &["-p", "udp", "-n"],
];

pub fn run() -> Result<()> {
    let namespace = Namespace::new("delete")?;
    agree(&namespace)?;
    wrong(&namespace)?;
    update(&namespace)?;
    namespaces(&namespace)?;
    without_a_reader(&namespace)
}

/// Makes the entries with conntrack, in one run.
fn fill(namespace: &Namespace) -> Result<()> {
    let lines = ENTRIES.lines().map(str::trim).filter(|line| !line.is_empty());
    let lines: String = lines.map(|line| format!("-I {line}\n")).collect();
    dying_are_listed::load(namespace, &lines)
}

/// Checks that both tools delete the same entries, and print them alike.
pub fn agree(namespace: &Namespace) -> Result<()> {
    for filter in FILTERS {
        let begun = Instant::now();
        fill(namespace)?;
        let all = namespace.conntrack(&[])?;
        let would = succeeds(&mut namespace.rsct(&[&["delete", "--dry-run"], *filter].concat()))?;
        same_since(begun, &namespace.conntrack(&[])?, &all)?;
        let theirs = succeeds(&mut namespace.command("conntrack", &[&["-D"], *filter].concat()))?;
        let left = namespace.conntrack(&[])?;
        namespace.sh("conntrack -F")?;
        fill(namespace)?;
        let ours = output(&mut namespace.rsct(&[&["delete"], *filter].concat()))?;
        same_since(begun, &namespace.conntrack(&[])?, &left)?;
        ensure!(
            sorted(&would)?.len() == sorted(&theirs)?.len(),
            "{filter:?} --dry-run: {would}"
        );
        let shown = String::from_utf8_lossy(&ours.stdout).into_owned();
        ensure!(
            sorted(&shown)? == sorted(&theirs)?,
            "{filter:?}:\n{shown}conntrack:\n{theirs}"
        );
        let said = deleted(shown.lines().count());
        ensure!(
            ours.status.success() && String::from_utf8_lossy(&ours.stderr) == said,
            "{filter:?}: {ours:?}"
        );
        namespace.sh("conntrack -F")?;
    }
    fill(namespace)?;
    let lines = namespace.conntrack(&[])?.lines().count();
    let of_ipv6 = output(&mut namespace.rsct(&["flush", "-f", "ipv6", "-q"]))?;
    let ipv6 = namespace.conntrack(&["-f", "ipv6"])?;
    let left = namespace.conntrack(&[])?.lines().count();
    ensure!(
        of_ipv6.status.success() && ipv6.is_empty() && left > 0,
        "flush -f ipv6 leaves {ipv6:?} and {left} entries: {of_ipv6:?}"
    );
    let said = format!("of its ipv6 entries: it had {lines} entries, and has {left} now.\n");
    ensure!(
        String::from_utf8_lossy(&of_ipv6.stderr).ends_with(&said),
        "{of_ipv6:?} where {said:?} is expected"
    );
    let flushed = output(&mut namespace.rsct(&["flush"]))?;
    ensure!(
        String::from_utf8_lossy(&flushed.stdout).lines().count() == left
            && String::from_utf8_lossy(&flushed.stderr) == deleted(left),
        "{flushed:?}"
    );
    ensure!(namespace.conntrack(&[])?.is_empty(), "a flush leaves entries");
    // `succeeds` checks that the first line is there.
    let none = succeeds(&mut namespace.rsct(&["flush", "-o", "json"]))?;
    ensure!(none.is_empty(), "deleted from an empty table: {none}");
    Ok(())
}

/// The lines in a stable order, without the seconds that are left.
fn sorted(listing: &str) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for line in listing.lines() {
        let (name, rest) = line.split_at(line.find("src=").unwrap_or(0));
        let words: Vec<&str> = name
            .split_whitespace()
            .filter(|word| word.parse::<u32>().is_err())
            .collect();
        lines.push(format!("{} {rest}", words.join(" ")));
    }
    lines.sort();
    Ok(lines)
}

fn wrong(namespace: &Namespace) -> Result<()> {
    for (args, code, sentence) in [
        (
            "delete",
            2,
            "no filter is given; `rsct flush` deletes all entries",
        ),
        ("delete -p udp -q", 1, "no flow entry matches the filter"),
        ("delete -p udp --dry-run", 1, "no flow entry matches the filter"),
        ("update -p udp", 2, "no change is given"),
        (
            "update -p udp --set-mark x",
            2,
            "--set-mark \"x\": expected a mark",
        ),
        (
            "update -p udp --set-status DYING",
            2,
            "--set-status \"DYING\": expected SEEN_REPLY",
        ),
        (
            "update -p udp --label-add 3 --label-del 4",
            2,
            "use only one of them in a change",
        ),
        (
            "update -p udp --set-mark 1",
            1,
            "no flow entry matches the filter",
        ),
        ("flush -f ipv5", 2, "--family \"ipv5\": expected ipv4 or ipv6"),
    ] {
        let args: Vec<&str> = args.split(' ').collect();
        one_sentence(&mut namespace.rsct(&args), code, sentence)?;
    }
    for args in [
        "delete -p udp",
        "update --set-mark 1",
        "flush -q",
        "create -p 50 -s 10.0.0.1 -d 10.0.0.2 -t 9",
    ] {
        let mut command = namespace.command("setpriv", &["--bounding-set=-all", "--inh-caps=-all"]);
        command.arg(rsct()).args(args.split(' '));
        one_sentence(
            &mut command,
            1,
            "not permitted; run as root or with the capability CAP_NET_ADMIN",
        )?;
    }
    let xml = output(&mut namespace.rsct(&["delete", "-p", "udp", "-o", "xml"]))?;
    ensure!(xml.stdout.is_empty(), "no entry, and yet {xml:?}");
    Ok(())
}

/// Entries are changed as requested, and printed as the kernel has them afterwards.
fn update(namespace: &Namespace) -> Result<()> {
    namespace.sh("conntrack -F; iptables -A OUTPUT -m connlabel --label 3 --set")?;
    fill(namespace)?;
    let begun = Instant::now();
    let before = namespace.conntrack(&[])?;
    let change = [
        "update",
        "-p",
        "tcp",
        "--set-timeout",
        "1234",
        "--set-mark",
        "0x30/0xf0",
        "--label-add",
        "3,64",
    ];
    let dry = succeeds(&mut namespace.rsct(&[&change[..], &["--dry-run"]].concat()))?;
    same_since(begun, &namespace.conntrack(&[])?, &before)?;
    let shown = succeeds(&mut namespace.rsct(&change))?;
    ensure!(
        shown.lines().count() == dry.lines().count(),
        "{shown} where {dry} was announced"
    );
    for line in namespace.conntrack(&["-o", "labels"])?.lines() {
        let tcp = line.starts_with("tcp ");
        let seconds: u32 = line.split_whitespace().nth(2).unwrap_or_default().parse()?;
        ensure!(tcp == (1200..1235).contains(&seconds), "{line}");
    }
    // The upper bits of 0x15 were replaced.
    ensure!(
        shown.contains("sport=1004") && shown.contains(" mark=53 "),
        "{shown}"
    );
    let labelled = namespace.list(&["-p", "tcp", "-l", "3,64"])?;
    ensure!(labelled.lines().count() == shown.lines().count(), "{labelled}");
    for (options, left) in [(&["--label-del", "64"][..], "3"), (&["--label-del"], "")] {
        succeeds(&mut namespace.rsct(&[&["update", "-p", "tcp", "-q"], options].concat()))?;
        let json = namespace.list(&["-p", "tcp", "-o", "json"])?;
        let labels = format!("\"labels\":[{left}]");
        let as_told = json
            .lines()
            .filter(|line| line.contains(&labels) || left.is_empty() && !line.contains("\"labels\":[3"));
        ensure!(as_told.count() == shown.lines().count(), "{options:?}: {json}");
    }
    succeeds(&mut namespace.rsct(&["update", "-p", "udp", "-q", "--set-status", "FIXED_TIMEOUT"]))?;
    let fixed = output(&mut namespace.rsct(&["update", "-p", "udp", "--set-timeout", "9"]))?;
    ensure!(
        fixed.status.code() == Some(1)
            && String::from_utf8_lossy(&fixed.stderr).contains("its timeout is fixed (FIXED_TIMEOUT)"),
        "{fixed:?}"
    );
    Ok(())
}

/// Named namespaces are worked on from outside, and `all` has a column for their names.
fn namespaces(namespace: &Namespace) -> Result<()> {
    namespace.sh("conntrack -F")?;
    let mut made = std::process::Command::new(rsct());
    made.args("create -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 4321 --dport 2 -t 99 --netns".split(' '));
    succeeds(made.arg(&namespace.name))?;
    let mut deleted = std::process::Command::new(rsct());
    deleted.args(["delete", "-s", "10.0.0.1", "--sport", "4321", "--netns", "all"]);
    let shown = succeeds(&mut deleted)?;
    ensure!(
        shown.lines().count() == 1 && shown.starts_with(&format!("{} ", namespace.name)),
        "{shown}"
    );
    ensure!(namespace.conntrack(&[])?.is_empty(), "the entry is there still");
    Ok(())
}

/// Deletion continues if the output has no reader, and every deleted entry is counted.
fn without_a_reader(namespace: &Namespace) -> Result<()> {
    const ENTRIES: u32 = 20_000;
    let rsct = rsct().display().to_string();
    let made = format!(
        "awk 'BEGIN {{ for (i = 0; i < {ENTRIES}; i++) printf \"-A -p udp -s 10.1.%d.%d -d 10.0.0.2 --sport 1 --dport \
         2 -t 600\\n\", i / 256, i % 256 }}' | {rsct} load -q -"
    );
    namespace.sh(&made)?;
    let said = namespace.sh(&format!(
        "exec 2>&1; ({rsct} delete -p udp; echo exit $? >&2) | head -n 1 | wc -l"
    ))?;
    let mut lines: Vec<&str> = said.lines().collect();
    lines.sort_unstable();
    let counted = format!("rsct: {ENTRIES} flow entries have been deleted.");
    ensure!(lines == ["1", "exit 0", counted.as_str()], "{said}");
    ensure!(namespace.conntrack(&[])?.is_empty(), "entries are left");
    Ok(())
}
