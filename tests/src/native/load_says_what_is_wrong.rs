//! Each line of a file succeeds or fails by itself, and errors are reported with the line's number.

use std::fmt::Write as _;

use anyhow::{Result, ensure};

use super::{
    namespace::{Namespace, output},
    save_and_load::Scratch,
};
use crate::sentence::one_sentence;

const UDP: &str = "-A -p udp -s 10.0.0.1 -d 10.0.0.2 -t 600 --sport";

pub fn run() -> Result<()> {
    let namespace = Namespace::new("load")?;
    let file = Scratch::new("load")?;
    for (text, said) in [
        (
            "-A -p udp",
            ":1: a new entry of udp also needs --src, --dst, --sport, --dport and --timeout",
        ),
        ("\n# two\n-p udp", ":3: the line has no command"),
        ("-A -x", ":1: \"-x\": no such option"),
        ("-A --sport", ":1: --sport needs a value, but the line ends"),
        (
            "-A -p udp --label-add \"night",
            ":1: the closing quotation mark is missing",
        ),
        ("-A -p udp \u{e4}", ":1: \"\u{e4}\": unexpected argument"),
        (
            "-D expect -p udp",
            ":1: \"expect\": a file can only change the table conntrack",
        ),
        ("-F -p udp", ":1: -F accepts only --family"),
        (
            "-U -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -n 10.0.0.3",
            ":1: --src-nat: the kernel cannot change",
        ),
    ] {
        std::fs::write(&file.0, format!("{text}\n"))?;
        load_fails(
            &namespace,
            &file,
            &["-q"],
            &[said, ": stopped at the first line that failed; 0 lines"],
        )?;
        let mut checked = namespace.rsct(&["load", "-q", "--dry-run", &file.path()]);
        one_sentence(&mut checked, 1, said)?;
    }
    one_sentence(
        &mut namespace.rsct(&["load", "/no/such/file"]),
        1,
        "opening /no/such/file: No such file",
    )?;
    one_sentence(
        &mut namespace.rsct(&["load", "-", "--netns", "all"]),
        2,
        "standard input cannot be read once for each",
    )?;
    kernel_refuses(&namespace, &file)?;
    as_others_write(&namespace, &file)?;
    in_the_middle(&namespace, &file)
}

/// Loads the file, which must fail, and print these messages on a line each.
fn load_fails(namespace: &Namespace, file: &Scratch, options: &[&str], said: &[&str]) -> Result<()> {
    let path = file.path();
    let output = output(&mut namespace.rsct(&[&["load", &path], options].concat()))?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = stderr.lines().collect();
    ensure!(
        output.status.code() == Some(1) && output.stdout.is_empty(),
        "{output:?}"
    );
    ensure!(
        lines.len() == said.len(),
        "{} lines where {} are expected:\n{stderr}",
        lines.len(),
        said.len()
    );
    for (line, said) in lines.iter().zip(said) {
        ensure!(
            line.starts_with("rsct: ") && line.contains(said),
            "{line}\nwhere {said:?} is expected"
        );
    }
    Ok(())
}

/// Lines are sent in batches: lines applied after a failed one are reported.
fn kernel_refuses(namespace: &Namespace, file: &Scratch) -> Result<()> {
    let missing = "-D -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 9 --dport 9";
    std::fs::write(
        &file.0,
        format!("{UDP} 1 --dport 9\n{missing}\n{UDP} 2 --dport 9\n"),
    )?;
    let not_there = ":2: deleting the entry udp 10.0.0.1:9 > 10.0.0.2:9: there is no such entry";
    load_fails(
        namespace,
        file,
        &[],
        &[
            not_there,
            "1 line before it was applied, and 1 after it in the same batch was applied too",
            "rsct: 2 created, 0 updated, 0 deleted, 1 failed.",
        ],
    )?;
    load_fails(
        namespace,
        file,
        &["--on-error", "continue"],
        &[
            not_there,
            "rsct: 0 created, 0 updated, 0 deleted, 2 unchanged (existed already), 1 failed.",
        ],
    )?;
    // The rest of a line is applied even if its status lacks a bit that the entry has.
    let (assured, seen) = ("-u SEEN_REPLY,ASSURED", "-u SEEN_REPLY -m 5");
    let line = |command: &str, status| {
        format!("{command} -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 9 {status}\n")
    };
    std::fs::write(&file.0, line("-U", assured) + &line("-U", seen))?;
    let updated = output(&mut namespace.rsct(&["load", &file.path()]))?;
    let said = String::from_utf8_lossy(&updated.stderr);
    ensure!(
        updated.status.success() && said.contains("2 updated"),
        "{updated:?}"
    );
    let shown = namespace.conntrack(&["-p", "udp", "--sport", "1"])?;
    ensure!(shown.contains("[ASSURED] mark=5"), "{shown}");
    Ok(())
}

/// Files as editors and shells write them: a last line without a newline, and the program's name before the options.
fn as_others_write(namespace: &Namespace, file: &Scratch) -> Result<()> {
    namespace.sh("conntrack -F")?;
    let text =
        format!("conntrack {UDP} 1 --dport 9\n/usr/sbin/conntrack {UDP} 2 --dport 99\n{UDP} 3 --dport 9");
    std::fs::write(&file.0, text)?;
    for tool in [
        namespace.rsct(&["load", &file.path()]),
        namespace.command("conntrack", &["-R", &file.path()]),
    ] {
        let mut tool = tool;
        let loaded = output(&mut tool)?;
        ensure!(loaded.status.success(), "{loaded:?}");
        ensure!(count(namespace)? == 3, "{} entries", count(namespace)?);
        namespace.sh("conntrack -F")?;
    }
    std::fs::write(&file.0, "# the end")?;
    ensure!(
        output(&mut namespace.rsct(&["load", &file.path()]))?
            .status
            .success(),
        "a comment without a newline"
    );
    Ok(())
}

/// A hundred thousand lines with two invalid ones in the middle: all before them are applied, and with the option all
/// others too.
fn in_the_middle(namespace: &Namespace, file: &Scratch) -> Result<()> {
    const LINES: u32 = 100_000;
    const BAD: [u32; 2] = [50_000, 60_000];
    let mut text = String::new();
    for number in 1..=LINES {
        let port = if BAD.contains(&number) { "x" } else { "7" };
        let (high, low) = (number >> 8 & 255, number & 255);
        writeln!(
            text,
            "-A -p udp -s 10.{}.{high}.{low} -d 10.0.0.2 --sport 5 --dport {port} -t 600",
            number >> 16
        )?;
    }
    std::fs::write(&file.0, text)?;
    let wrong = [50_000, 60_000].map(|line| format!(":{line}: --dport \"x\": expected a port"));
    namespace.sh("conntrack -F")?;
    load_fails(
        namespace,
        file,
        &[],
        &[
            &wrong[0],
            "stopped at the first line that failed; 49999 lines before it were applied",
            "rsct: 49999 created, 0 updated, 0 deleted, 1 failed.",
        ],
    )?;
    ensure!(count(namespace)? == 49_999, "{} entries", count(namespace)?);
    load_fails(
        namespace,
        file,
        &["--on-error", "continue"],
        &[
            &wrong[0],
            &wrong[1],
            "rsct: 49999 created, 0 updated, 0 deleted, 49999 unchanged (existed already), 2 failed.",
        ],
    )?;
    ensure!(count(namespace)? == 99_998, "{} entries", count(namespace)?);
    Ok(())
}

fn count(namespace: &Namespace) -> Result<u32> {
    Ok(namespace.sh("conntrack -C")?.trim().parse()?)
}
