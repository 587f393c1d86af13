//! `delete -q`: one request where the kernel supports it, entry by entry elsewhere. Both delete the same entries and
//! print the number of entries deleted.

use anyhow::{Context as _, Result, ensure};

use super::{
    namespace::{Namespace, output, succeeds},
    table::same_entries,
};

const ENTRIES: &str = "
    -p udp -s 10.0.0.1 -d 10.0.1.1 --sport 1001 --dport 53 -t 600 -u SEEN_REPLY,ASSURED
    -p udp -s 10.0.0.2 -d 10.0.1.1 --sport 1002 --dport 53 -t 600 -m 5
    -p udp -s 2001:db8::1 -d 2001:db8::2 --sport 1003 --dport 53 -t 600
    -p udp -s 10.0.0.3 -d 10.0.1.1 --sport 1004 --dport 123 -t 600 -w 7
    -p udp -s 10.0.0.4 -d 10.0.1.1 --sport 1007 --dport 124 -t 600 --orig-zone 7
    -p tcp -s 10.0.0.1 -d 10.0.1.1 --sport 1005 --dport 53 --state ESTABLISHED -t 600
    -p tcp -s 2001:db8::1 -d 2001:db8::2 --sport 1006 --dport 80 --state ESTABLISHED -t 600
    -p icmp -s 10.0.0.1 -d 10.0.1.1 --icmp-type 8 --icmp-code 0 --icmp-id 53 -t 600
    -p 50 -s 10.0.0.1 -d 10.0.1.1 -t 600
    -p 50 -s 10.0.1.1 -d 10.0.0.1 -t 600 -w 9
";

/// Filters, the number of entries that they match, and whether a kernel that supports it receives one request.
const FILTERS: &[(&str, usize, bool)] = &[
    ("-p udp", 5, true),
    ("-p udp --dport 53", 3, true),
    ("-p udp -u ASSURED", 1, true),
    ("-p udp -m 5", 1, true),
    ("-s 10.0.0.1", 4, true),
    ("-f ipv6 -p udp", 1, true),
    ("-r 10.0.1.1 -p tcp", 1, true),
    ("-p icmp", 1, true),
    ("-p udp -w 7", 2, true),
    // An older kernel could take these for whole tuples.
    ("-s 10.0.0.1 -d 10.0.1.1", 4, false),
    ("-p 50 -s 10.0.1.1 -d 10.0.0.1", 1, false),
    // Conditions that the kernel cannot check, or checks wrongly.
    ("-s 2001:db8::1", 2, false),
    ("--dport 53", 4, false),
    ("-w 7", 2, false),
    ("-p udp --orig-zone 7", 1, false),
    ("-u ASSURED", 1, false),
];

pub fn run() -> Result<()> {
    let namespace = Namespace::new("at-once")?;
    let mut at_once = 0;
    for (filter, meant, can_be) in FILTERS {
        at_once +=
            usize::from(one(&namespace, filter, *meant, *can_be).with_context(|| format!("with {filter}"))?);
    }
    let can_be = FILTERS.iter().filter(|(.., can_be)| *can_be).count();
    ensure!(
        at_once == can_be || at_once == 0,
        "{at_once} of {can_be} filters were given to the kernel: it can do all or none"
    );
    ensure!(
        at_once == can_be || release()? < (6, 11),
        "this kernel can delete by a filter, but rsct sent no such request"
    );
    let none = output(&mut namespace.rsct(&["delete", "-p", "udp", "--dport", "999", "-q"]))?;
    ensure!(
        none.status.code() == Some(1)
            && String::from_utf8_lossy(&none.stderr) == "rsct: no flow entry matches the filter\n",
        "{none:?}"
    );
    Ok(())
}

/// Returns whether it was done with one request.
fn one(namespace: &Namespace, filter: &str, meant: usize, can_be: bool) -> Result<bool> {
    namespace.sh("conntrack -F 2>&1")?;
    namespace.create(ENTRIES)?;
    let args: Vec<&str> = filter.split(' ').collect();
    let whole = namespace.list(&[])?;
    let going = namespace.list(&args)?;
    ensure!(
        going.lines().count() == meant,
        "the filter must match {meant} entries, not\n{going}"
    );
    let deleted = output(&mut namespace.rsct(&[&["delete", "-q"], &args[..]].concat()))?;
    let said = String::from_utf8(deleted.stderr)?;
    ensure!(deleted.status.success() && deleted.stdout.is_empty(), "{said}");
    let staying: String = whole
        .lines()
        .filter(|line| !going.lines().any(|gone| key(gone) == key(line)))
        .flat_map(|line| [line, "\n"])
        .collect();
    same_entries(&namespace.list(&[])?, &staying)?;
    let count = whole.lines().count();
    let one_by_one = crate::sentence::deleted(meant);
    let at_once = format!(
        "rsct: all entries that match the filter have been deleted in one request: the table had {} and has {} now.\n",
        if count == 1 {
            "1 entry,".to_owned()
        } else {
            format!("{count} entries,")
        },
        count - meant
    );
    ensure!(said == one_by_one || (can_be && said == at_once), "{said}");
    Ok(said == at_once)
}

/// The part of a line that does not change.
fn key(line: &str) -> Option<&str> {
    line.find("src=").map(|at| &line[at..])
}

/// The kernel's version.
fn release() -> Result<(u32, u32)> {
    let release = succeeds(std::process::Command::new("uname").arg("-r"))?;
    let mut numbers = release.split(['.', '-']).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
        _ => anyhow::bail!("{release:?} is no version"),
    }
}
