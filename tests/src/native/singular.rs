//! One entry is an entry, in the messages of every command.

use anyhow::{Result, bail, ensure};

use super::namespace::{Namespace, output};

const ENTRY: &str = "-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2";
/// Command lines, with the words for the one object that each of them matches.
const LINES: &[(&str, &str)] = &[
    ("list", "1 flow entry has been shown."),
    ("save", "1 flow entry has been saved."),
    (
        "update -p udp --set-mark 7 --dry-run",
        "1 flow entry would be updated.",
    ),
    ("update -p udp --set-mark 7", "1 flow entry has been updated."),
    ("delete -p udp --dry-run", "1 flow entry would be deleted."),
    ("delete -p udp", "1 flow entry has been deleted."),
    ("flush --dry-run", "1 flow entry would be deleted."),
    ("flush", "1 flow entry has been deleted."),
    ("flush -q", "it had 1 entry, and has 0 now."),
    (
        "timeout expiring",
        "the next 1 of 1 flow entry has been shown, 0 have not.",
    ),
    (
        "timeout expiring --within 1h",
        "1 of 1 flow entry expires within that time.",
    ),
    ("timeout policy add web inet udp replied=5m", ""),
    ("timeout policy list", "1 timeout policy has been shown."),
    ("timeout policy delete web", "1 timeout policy has been deleted."),
];

pub fn run() -> Result<()> {
    let namespace = Namespace::new("singular")?;
    for (line, words) in LINES {
        namespace.sh("conntrack -F")?;
        namespace.create(&format!("{ENTRY} -t 600"))?;
        let args: Vec<&str> = line.split(' ').collect();
        let ended = output(&mut namespace.rsct(&args))?;
        let said = String::from_utf8_lossy(&ended.stderr);
        ensure!(
            ended.status.success() && said.contains(words),
            "{line}: {}, where {words:?} is expected\n{said}",
            ended.status
        );
        plural_of_one(&said)?;
    }
    let two = output(&mut namespace.rsct(&["list", "--dport", "3"]))?;
    ensure!(
        two.stderr == b"rsct: 0 flow entries have been shown.\n",
        "{two:?}"
    );
    Ok(())
}

/// Fails on a number 1 before a plural.
fn plural_of_one(said: &str) -> Result<()> {
    const PLURALS: [&str; 6] = [
        "entries",
        "policies",
        "events",
        "records",
        "expectations",
        "packets",
    ];
    let words: Vec<&str> = said.split_whitespace().collect();
    for (index, _) in words.iter().enumerate().filter(|(_, word)| **word == "1") {
        let next = &words[index + 1..words.len().min(index + 4)];
        if next.iter().any(|word| PLURALS.contains(&word.trim_matches('.'))) {
            bail!("1 of many: {said}");
        }
    }
    Ok(())
}
