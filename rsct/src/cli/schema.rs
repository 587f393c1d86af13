//! `rsct schema`: the JSON Schema of the JSON output.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args;

use super::{UsageError, is_broken_pipe};
use crate::{
    render::bytes,
    schema::{self, Command},
};

/// Print the JSON Schema of the JSON output
///
/// The schema (draft 2020-12) describes each line that a command prints with `-o json`. Without COMMAND, one document
/// has the schemas of all commands in its `$defs`. docs/json.md has the same in tables.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct schema
  rsct schema trace > trace.schema.json
  rsct schema timeout show")]
pub struct SchemaArgs {
    /// Command, such as `trace` or `timeout show`
    #[arg(value_name = "COMMAND")]
    command: Vec<String>,
}

/// Runs `rsct schema`.
pub fn run(args: &SchemaArgs) -> anyhow::Result<ExitCode> {
    let command = match args.command.as_slice() {
        [] => None,
        words => Some(Command::of(words).ok_or_else(|| unknown(words))?),
    };
    let mut out = Vec::new();
    bytes::json_pretty(&mut out, &schema::document(command));
    let mut stdout = io::stdout().lock();
    match stdout.write_all(&out).and_then(|()| stdout.flush()) {
        Err(error) if !is_broken_pipe(&error) => Err(error).context("writing the schema to standard output"),
        _ => Ok(ExitCode::SUCCESS),
    }
}

fn unknown(words: &[String]) -> UsageError {
    let names: Vec<&str> = Command::ALL.iter().map(|command| command.name()).collect();
    UsageError(format!(
        "{:?}: expected a command that prints JSON: {}",
        words.join(" "),
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_named_by_their_words() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            Command::of(&words("timeout what-if")),
            Some(Command::TimeoutWhatIf)
        );
        assert_eq!(Command::of(&words("why flow")), Some(Command::WhyFlow));
        let error = unknown(&words("save")).to_string();
        assert!(
            error.starts_with("\"save\": expected a command that prints JSON: count, create"),
            "{error}"
        );
    }
}
