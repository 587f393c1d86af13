//! A namespace's name may contain anything: control sequences do not reach a terminal, and a long name widens only its
//! own line.

use std::{fs, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    namespace::{Namespace, output, rsct, succeeds},
    save_and_load::Scratch,
};

const ENTRY: &str = "-p udp -s 10.66.0.1 -d 10.66.0.2 --sport 1 --dport 2 -t 300";

pub fn run() -> Result<()> {
    let id = std::process::id();
    let names = [
        (format!("{id}-a\x1b[31mb"), format!("{id}-a\\u{{1b}}[31mb")),
        (
            format!("{id}-evil\u{202e}x\u{9b}1m"),
            format!("{id}-evil\\u{{202e}}x\\u{{9b}}1m"),
        ),
        (format!("{id}-line\n-F"), format!("{id}-line\\u{{a}}-F")),
        (
            format!("{id}-{}", "x".repeat(150)),
            format!("{id}-{}", "x".repeat(150)),
        ),
    ];
    let short = Namespace::new("short")?;
    let mut namespaces = Vec::new();
    for (name, _) in &names {
        namespaces.push(Namespace::called(name)?);
    }
    for namespace in namespaces.iter().chain([&short]) {
        namespace.create(ENTRY)?;
    }

    for args in [
        &["list", "-p", "udp"][..],
        &["list", "-p", "udp", "-o", "wide"],
        &["list", "-p", "udp", "-o", "save"],
        &["list", "-p", "udp", "-o", "xml"],
        &["count", "-p", "udp"],
        &["stats"],
        &["timeout", "show", "udp"],
        &["sysctl", "max"],
    ] {
        let text = succeeds(Command::new(rsct()).args(args).args(["--netns", "all"]))?;
        harmless(&text).with_context(|| format!("{args:?}"))?;
        if args.contains(&"xml") {
            continue;
        }
        for (_, shown) in &names {
            ensure!(text.contains(shown.as_str()), "{args:?} lacks {shown}:\n{text}");
        }
        let line = text.lines().find(|line| line.starts_with(&short.name));
        if args[0] == "count" {
            let line = line.with_context(|| format!("{args:?} lacks {}:\n{text}", short.name))?;
            ensure!(line.len() < 40, "a long name widens the line of {line:?}");
        }
    }
    let json =
        succeeds(Command::new(rsct()).args(["list", "-o", "json", "--netns", "all", "-s", "10.66.0.1"]))?;
    harmless(&json)?;
    let objects: Vec<Value> = json.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    for (name, _) in &names {
        let found = objects.iter().any(|object| object["netns_name"] == name.as_str());
        ensure!(found, "{name:?} is missing:\n{json}");
    }

    let missing = output(Command::new(rsct()).args(["list", "--netns", "no\x1b[31m-such"]))?;
    let said = String::from_utf8(missing.stderr)?;
    harmless(&said)?;
    ensure!(said.lines().count() == 1 && said.contains(&names[0].1), "{said}");

    // A name that begins a line of its own is no command in a saved file.
    let file = Scratch::new("names")?;
    let mut save = Command::new(rsct());
    succeeds(save.args(["save", "-s", "10.66.0.1", "--netns", "all", "-O", &file.path()]))?;
    let saved = fs::read_to_string(&file.0)?;
    ensure!(
        saved
            .lines()
            .all(|line| line.starts_with("-A ") || line.starts_with("# ")),
        "{saved}"
    );
    Ok(())
}

/// Checks that a text has no control characters except line ends and tabs.
fn harmless(text: &str) -> Result<()> {
    let harmful = |char: char| {
        (char.is_control() && !matches!(char, '\n' | '\t')) || ('\u{202a}'..='\u{202e}').contains(&char)
    };
    ensure!(!text.contains(harmful), "{text:?}");
    Ok(())
}
