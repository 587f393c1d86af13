//! `rsct completions`: what a shell has to know to complete the words of rsct's command line.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::is_broken_pipe;

/// Print the completions of rsct's commands and options for a shell.
///
/// bash: `rsct completions bash > /usr/share/bash-completion/completions/rsct`, or for one shell
/// `source <(rsct completions bash)`; zsh: into a file `_rsct` in a directory of $fpath; fish: into
/// ~/.config/fish/completions/rsct.fish.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
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
