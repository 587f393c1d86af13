//! Shell completion covers the command line, and the manual has a page for every command.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use super::namespace::{output, rsct, succeeds};
use crate::sentence::one_sentence;

pub fn run() -> Result<()> {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = printed(&["completions", shell])?;
        for word in ["list", "expect", "dport"] {
            ensure!(
                script.contains(word),
                "the completions for {shell} lack {word}:\n{script}"
            );
        }
    }
    completes(&["rsct", "li"], &["list"])?;
    completes(&["rsct", "expect", ""], &["list", "create", "watch"])?;
    completes(&["rsct", "timeout", ""], &["show", "set", "policy", "expiring"])?;
    completes(&["rsct", "timeout", "policy", ""], &["add", "replace", "flush"])?;
    completes(&["rsct", "why", ""], &["unreplied", "invalid"])?;
    completes(&["rsct", "list", "--"], &["--dport", "--netns", "--output"])?;
    completes(
        &["rsct", "list", "--output", ""],
        &["text", "json", "xml", "save"],
    )?;

    let dir = ScratchDir::new()?;
    printed(&["man", dir.0.to_str().context("a path in UTF-8")?])?;
    let pages = fs::read_dir(&dir.0)?.count();
    let commands = has_page(&dir.0, &[])?;
    ensure!(pages == commands, "{pages} pages for {commands} commands");
    ensure!(printed(&["man"])?.into_bytes() == fs::read(dir.0.join("rsct.1"))?);

    let command = |args: &[&str]| {
        let mut command = Command::new(rsct());
        command.args(args);
        command
    };
    one_sentence(&mut command(&["completions", "tcsh"]), 2, "invalid value 'tcsh'")?;
    one_sentence(
        &mut command(&["man", "/no/such/directory"]),
        1,
        "it is not a directory",
    )?;
    one_sentence(
        &mut command(&["man", "/proc"]),
        1,
        "writing the manual page /proc/rsct.1",
    )?;
    for what in [&["man"][..], &["completions", "bash"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full")?;
        one_sentence(command(what).stdout(full), 1, "No space left on device")?;
    }
    Ok(())
}

/// Output of rsct.
fn printed(args: &[&str]) -> Result<String> {
    succeeds(Command::new(rsct()).args(args))
}

/// Makes bash complete the last of these words, as it does for TAB.
fn completes(words: &[&str], expected: &[&str]) -> Result<()> {
    let script = r#"
        source <("$1" completions bash) && shift
        registered=$(complete -p rsct) && function=${registered#*-F } && function=${function%% *}
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
        "$function" rsct "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}""#;
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", script, "bash"])
        .arg(rsct())
        .args(words);
    let offered = succeeds(&mut bash)?;
    for word in expected {
        ensure!(
            offered.lines().any(|line| line == *word),
            "{words:?} is not completed by {word:?}, only by:\n{offered}"
        );
    }
    Ok(())
}

/// Compares the page of the command that these words name with its help; returns the number of pages from here on.
fn has_page(dir: &Path, words: &[&str]) -> Result<usize> {
    let name = [&["rsct"], words].concat().join("-");
    let path = dir.join(format!("{name}.1"));
    let page = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    ensure!(page.contains(&format!(".TH {name} 1 ")), "{page}");
    renders(&path)?;
    let help = printed(&[words, &["--help"]].concat())?;
    // A line of help that begins with options, such as `  -s, --src <ADDR>`.
    let lines = help.lines().filter(|line| line.trim_start().starts_with('-'));
    for option in lines.flat_map(str::split_whitespace).filter_map(long) {
        ensure!(
            page.contains(&option.replace('-', "\\-")),
            "{name}(1) lacks {option}"
        );
    }
    let mut pages = 1;
    const HEADINGS: [&str; 7] = [
        "Commands",
        "Topics",
        "Observe",
        "Table",
        "Timeouts and settings",
        "Recordings",
        "Setup",
    ];
    let below = |heading| help.split_once(&format!("\n{heading}:\n")).map(|(_, rest)| rest);
    let blocks = HEADINGS.into_iter().filter_map(below);
    for line in blocks.flat_map(|block| block.lines().take_while(|line| !line.is_empty())) {
        // Lines of a description stand further in.
        let Some(line) = line.strip_prefix("  ").filter(|line| !line.starts_with(' ')) else {
            continue;
        };
        let command = line.split(' ').next().unwrap_or_default();
        pages += has_page(dir, &[words, &[command]].concat())?;
    }
    Ok(pages)
}

/// A long option among the words of a line of help, without its value.
fn long(word: &str) -> Option<&str> {
    let name = word.strip_prefix("--")?;
    let end = name.find(|char: char| !char.is_ascii_alphanumeric() && char != '-');
    let option = &word[..2 + end.unwrap_or(name.len())];
    (option.len() > 2).then_some(option)
}

/// Renders the page with groff, which must find no error in it.
fn renders(path: &Path) -> Result<()> {
    let mut groff = Command::new("groff");
    groff.args(["-man", "-ww", "-Tutf8", "-z"]).arg(path);
    let output = output(&mut groff)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success() && said.is_empty(),
        "groff on {}:\n{said}",
        path.display()
    );
    Ok(())
}

/// A directory that is removed on drop.
struct ScratchDir(PathBuf);

impl ScratchDir {
    fn new() -> Result<Self> {
        let made = output(Command::new("mktemp").args(["-d", "-t", "rsct-manual-XXXXXX"]))?;
        let path = String::from_utf8(made.stdout)?;
        ensure!(made.status.success(), "mktemp made no directory");
        Ok(Self(path.trim_end().into()))
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
