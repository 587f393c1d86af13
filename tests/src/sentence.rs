//! Checks that a command fails with one sentence on stderr and an exit code.

use std::process::Command;

use anyhow::{Result, ensure};

use crate::native::namespace::output;

/// Runs a command that must fail with `code` and print one sentence that contains `sentence`.
pub fn one_sentence(command: &mut Command, code: i32, sentence: &str) -> Result<()> {
    let output = output(command)?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(code),
        "{command:?}: {}\n{said}",
        output.status
    );
    ensure!(
        said.starts_with("rsct: ") && said.lines().count() == 1,
        "{command:?} printed:\n{said}"
    );
    ensure!(
        said.contains(sentence),
        "{command:?} printed:\n{said}where {sentence:?} is expected"
    );
    Ok(())
}

/// The closing line of a command that deleted entries.
pub fn deleted(entries: usize) -> String {
    let entries = match entries {
        1 => "1 flow entry has".to_owned(),
        n => format!("{n} flow entries have"),
    };
    format!("rsct: {entries} been deleted.\n")
}
