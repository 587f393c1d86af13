//! What went wrong, in one sentence on stderr and in the exit code.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

/// Runs a command that must fail with `code`, and say one sentence with `sentence` in it.
pub fn one_sentence(command: &mut Command, code: i32, sentence: &str) -> Result<()> {
    let output = command.stderr(Stdio::piped()).spawn()?.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(code),
        "{command:?}: {}\n{said}",
        output.status
    );
    ensure!(
        said.starts_with("rsct: ") && said.lines().count() == 1,
        "{command:?} said:\n{said}"
    );
    ensure!(
        said.contains(sentence),
        "{command:?} said:\n{said}where {sentence:?} is expected"
    );
    Ok(())
}

/// What is said of entries that were deleted.
pub fn deleted(entries: usize) -> String {
    let entries = match entries {
        1 => "1 flow entry has".to_owned(),
        n => format!("{n} flow entries have"),
    };
    format!("rsct: {entries} been deleted.\n")
}
