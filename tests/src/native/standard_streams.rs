//! Standard streams that are closed or have no reader end no command in the middle of its work.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io,
    os::fd::OwnedFd,
    process::{Command, Output, Stdio},
};

use anyhow::{Context as _, Result, ensure};

use crate::lab::inside::inside;

use super::{
    few_descriptors::ends,
    grid::{self, Report},
    namespace::{Namespace, output, rsct},
    save_and_load::Scratch,
};

/// Command lines of each kind: those that print, those that fail, and those that are wrong.
const LINES: &str = "
--help
--version
list --help
no-such-command
list
list -o json --explain -p udp
list -o wide
list -s nonsense
list --netns all
list -t dying
get -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2
get -p udp -s 10.9.9.9 -d 10.0.0.2 --sport 1 --dport 2
count
count -p udp --explain
stats
stats -o json
create -p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 600
update -p udp --set-mark 7 --dry-run
update -p tcp --set-mark 7
delete -p udp --dry-run
delete -p tcp
flush --dry-run
save
save -O /no/such/file
load /no/such/file
load -
watch --duration 0s
watch -o json --duration 0s
expect list
expect delete -p udp
expect watch --duration 0s
timeout show
timeout show -o json
timeout set udp replied=0
timeout set udp replied=181 --dry-run
timeout expiring
timeout rules
timeout policy list
timeout policy delete no-such-policy
sysctl
sysctl nf_conntrack_max=x
doctor
why list
completions bash
man /no/such/directory
install-links /no/such/directory
";

pub fn run() -> Result<()> {
    let namespace = Namespace::new("streams")?;
    messages_of_a_load(&namespace)?;
    namespace.sh("conntrack -F")?;
    namespace.create("-p udp -s 10.0.0.1 -d 10.0.0.2 --sport 1 --dport 2 -t 600")?;
    let mut report = Report::default();
    inside(&namespace.name, "streams", || {
        for line in grid::lines(LINES) {
            report.add(line, every_stream(line));
        }
        report.end(40)
    })
}

/// Every second line is wrong, and the messages have no reader: the other lines are loaded all the same.
fn messages_of_a_load(namespace: &Namespace) -> Result<()> {
    const LINES: u32 = 3000;
    let file = Scratch::new("half-wrong")?;
    let mut text = String::new();
    for number in 1..=LINES / 2 {
        let (high, low) = (number >> 8, number & 255);
        writeln!(
            text,
            "-A -p udp -s 10.0.{high}.{low} -d 10.0.0.2 --sport 1 --dport 2 -t 600\n-A -p udp"
        )?;
    }
    fs::write(&file.0, text)?;
    let load = ["load", &file.path(), "--on-error", "continue"];
    for stream in [unread()?, File::open("/dev/null")?.into()] {
        namespace.sh("conntrack -F")?;
        let loaded = output(namespace.rsct(&load).stderr(stream))?;
        let count = namespace.sh("conntrack -C")?;
        ensure!(
            loaded.status.code() == Some(1) && count.trim() == (LINES / 2).to_string(),
            "{}, and {count} entries",
            loaded.status
        );
    }
    Ok(())
}

/// Runs a command line with each stream unusable; reports each stream that changes the result.
fn every_stream(line: &str) -> Result<()> {
    let words = grid::words(line);
    let with = |stdout: Stdio, stderr: Stdio| {
        let mut command = Command::new(rsct());
        command
            .args(&words)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr);
        command
    };
    let usual = output(&mut with(Stdio::piped(), Stdio::piped()))?;
    ends(&usual)?;
    same(&usual, &output(&mut with(Stdio::piped(), unread()?.into()))?).context("standard error unread")?;
    same(&usual, &output(&mut closing(&words, "2>&-"))?).context("standard error closed")?;

    // None of its lines arrives, so there is none to validate.
    ends(&with(unread()?.into(), Stdio::piped()).output()?).context("standard output unread")?;
    ends(&closing(&words, "0<&- >&- 2>&-").output()?).context("all closed")?;
    let full = with(
        File::options().write(true).open("/dev/full")?.into(),
        Stdio::piped(),
    )
    .output()?;
    ends(&full).context("a full disk")?;
    let said = String::from_utf8_lossy(&full.stderr);
    ensure!(
        usual.stdout.is_empty() || full.status.code() == Some(1) && said.contains("No space left on device"),
        "a full disk: {}\n{said}",
        full.status
    );
    Ok(())
}

/// Checks that both ended alike and printed the same number of lines; the lines contain times.
fn same(usual: &Output, other: &Output) -> Result<()> {
    let lines = |output: &Output| output.stdout.iter().filter(|byte| **byte == b'\n').count();
    ensure!(
        usual.status == other.status && lines(usual) == lines(other),
        "{} and {} lines, otherwise {} and {} lines\n{}",
        other.status,
        lines(other),
        usual.status,
        lines(usual),
        String::from_utf8_lossy(&other.stderr)
    );
    Ok(())
}

fn closing(words: &[String], which: &str) -> Command {
    let script = format!("exec \"$0\" \"$@\" {which}");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(rsct()).args(words);
    command
}

/// A pipe whose reader is closed.
fn unread() -> Result<OwnedFd> {
    let (reader, writer) = io::pipe().context("make a pipe")?;
    drop(reader);
    Ok(writer.into())
}
