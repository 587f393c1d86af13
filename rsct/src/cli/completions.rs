//! `rsct completions`: a script with which a shell completes rsct's command line.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::is_broken_pipe;

/// Print shell completions
///
/// bash: write them to /usr/share/bash-completion/completions/rsct, or for the current shell run
/// `source <(rsct completions bash)`. zsh: write them to a file `_rsct` in a directory of $fpath. fish: write them to
/// ~/.config/fish/completions/rsct.fish.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct completions bash > /usr/share/bash-completion/completions/rsct
  rsct completions fish > ~/.config/fish/completions/rsct.fish")]
pub struct CompletionsArgs {
    /// Shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs `rsct completions`.
pub fn run(args: &CompletionsArgs) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::Cli::command(), "rsct", &mut script);
    let mut stdout = io::stdout().lock();
    match stdout.write_all(&script).and_then(|()| stdout.flush()) {
        Err(error) if !is_broken_pipe(&error) => Err(error).context("writing completions to standard output"),
        _ => Ok(ExitCode::SUCCESS),
    }
}
