//! `rsct create` makes the same entries of conntrack's options as `conntrack -I`, and names the cause where it cannot.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::{
    namespace::{Namespace, output, succeeds},
    table::{ENTRIES, same_since},
};
use crate::sentence::one_sentence;

/// Wrong options, exit code, and a part of the sentence.
const WRONG: &[(&str, i32, &str)] = &[
    (
        "-p tcp -s 10.9.0.1 -d 10.9.0.2",
        2,
        "a new entry of tcp also needs --sport, --dport, --state and --timeout",
    ),
    ("-s 10.9.0.1 -d 10.9.0.2 -t 9", 2, "an entry also needs --proto"),
    (
        "-p sctp -s 10.9.0.1 -d 10.9.0.2 --sport 1 --dport 2 -t 9 --state OPEN",
        2,
        "--state OPEN: sctp has NONE, CLOSED",
    ),
    ("-p udp --sport 70000", 2, "--sport \"70000\": expected a port"),
    ("-p 50 --sport 1", 2, "not valid for protocol 50"),
    (
        "-p udp -s 10.9.0.1 -d fd00::1 --sport 1 --dport 2 -t 9",
        2,
        "an entry has one address family",
    ),
    (
        "-p udp -s 10.9.0.1 -d 10.9.0.2 --sport 1 --dport 2 -t 9 -w 1 --reply-zone 2",
        2,
        "an entry's zone applies to both directions or to one",
    ),
    (
        "-p udp -s 10.9.0.1 -d 10.9.0.2 --sport 1 --dport 2 -t 9 --helper nobody",
        1,
        "the kernel knows no helper nobody",
    ),
    (
        "-p udp -s 10.9.0.1 -d 10.9.0.2 --sport 1 --dport 2 -t 9 --master tcp,10.9.0.1,10.9.0.2,1,2",
        1,
        "no entry with the tuple of --master",
    ),
    (
        "-p udp -s 10.0.0.1 -d 10.0.1.1 --sport 53 --dport 53 -t 9",
        1,
        "it exists already; `rsct create --or-update`",
    ),
    // Its reply tuple would be that of another entry.
    (
        "-p udp -s 10.9.0.1 -d 10.0.1.1 --sport 1 --dport 53 --reply-dst 10.0.0.1 --reply-port-dst 53 -t 9",
        1,
        "its reply direction belongs to an existing entry, udp 10.0.0.1:53 > 10.0.1.1:53",
    ),
];

pub fn run() -> Result<()> {
    let namespace = Namespace::new("create")?;
    agree(&namespace)?;
    for (options, code, sentence) in WRONG {
        one_sentence(&mut create(&namespace, options), *code, sentence)?;
    }
    or_update(&namespace)
}

/// Checks that the two tools make the same entries.
pub fn agree(namespace: &Namespace) -> Result<()> {
    let begun = Instant::now();
    namespace.create(ENTRIES)?;
    let theirs = namespace.conntrack(&[])?;
    namespace.sh("conntrack -F")?;
    for line in ENTRIES.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let made = succeeds(&mut create(namespace, line))?;
        ensure!(made.lines().count() == 1, "{line}: shows {made:?}");
    }
    same_since(begun, &namespace.conntrack(&[])?, &theirs)
}

fn create(namespace: &Namespace, options: &str) -> std::process::Command {
    let mut args = vec!["create"];
    args.extend(options.split_whitespace());
    namespace.rsct(&args)
}

/// With the option an existing entry is changed, and keeps the values that no option sets.
fn or_update(namespace: &Namespace) -> Result<()> {
    let options =
        "-p tcp -s 10.0.0.1 -d 10.0.1.1 --sport 1003 --dport 443 --state FIN_WAIT -t 1000 --or-update";
    let updated = succeeds(&mut create(namespace, options))?;
    for part in [" FIN_WAIT ", "[ASSURED] mark=5 "] {
        ensure!(updated.contains(part), "{part:?} is not in {updated}");
    }
    let quiet = output(&mut create(namespace, &format!("{options} -q -m 6")))?;
    ensure!(
        quiet.status.success() && quiet.stdout.is_empty() && quiet.stderr.is_empty(),
        "-q: {quiet:?}"
    );
    let labelled = output(&mut create(namespace, &format!("{options} -l 3")))?;
    let said = String::from_utf8_lossy(&labelled.stderr);
    ensure!(
        labelled.status.code() == Some(1) && said.contains("cannot hold labels"),
        "labels where no rule uses them: {labelled:?}"
    );
    Ok(())
}
