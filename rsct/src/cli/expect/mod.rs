//! `rsct expect`: expectations, the connections that helpers predicted.

mod create;
mod delete;
mod filter;
mod flush;
mod list;
mod reason;
mod watch;
mod zone;

use crate::message;
use crate::plural;
use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};

use super::{
    is_broken_pipe,
    namespaces::NetnsArg,
    shared_args::{DryRunArg, FormatArg, QuietArg},
};
use crate::render::expect::Format;

/// List, create, delete and watch expectations
///
/// An expectation describes a connection that a helper predicted from another connection, its master: FTP's data
/// connection, for example.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct expect list
  rsct expect watch -o json
  rsct expect delete --helper ftp --dry-run")]
pub struct ExpectArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::ListArgs),
    Create(Box<create::CreateArgs>),
    Delete(delete::DeleteArgs),
    Flush(flush::FlushArgs),
    Watch(watch::WatchArgs),
}

/// Runs `rsct expect`.
pub fn run(args: &ExpectArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::List(args) => list::run(args),
        Command::Create(args) => create::run(args),
        Command::Delete(args) => delete::run(args),
        Command::Flush(args) => flush::run(args),
        Command::Watch(args) => watch::run(args),
    }
}

/// Formats of an expectation.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ExpectationFormat {
    /// Lines of `conntrack -L expect`
    Text,
    /// One JSON object per line
    Json,
    /// XML of `conntrack -L expect -o xml`
    Xml,
}

impl FormatArg<ExpectationFormat> {
    fn renderer(self) -> Format {
        match self.format {
            ExpectationFormat::Text => Format::Text,
            ExpectationFormat::Json => Format::Json,
            ExpectationFormat::Xml => Format::Xml,
        }
    }
}

/// Options of `delete` and `flush`.
#[derive(Clone, Debug, Args)]
#[command(mut_arg("quiet", |arg| arg.conflicts_with("output")))]
struct DeletionArgs {
    #[command(flatten)]
    output: FormatArg<ExpectationFormat>,
    #[command(flatten)]
    quiet: QuietArg,
    #[command(flatten)]
    dry_run: DryRunArg,
    #[command(flatten)]
    netns: NetnsArg,
}

impl DeletionArgs {
    /// `--quiet`.
    fn quiet(&self) -> bool {
        self.quiet.quiet
    }

    /// `--dry-run`.
    fn dry_run(&self) -> bool {
        self.dry_run.dry_run
    }

    /// The summary message.
    fn summary(&self, count: u64) -> String {
        let expectations = if self.dry_run() {
            plural::count(count, "expectation would be", "expectations would be")
        } else {
            plural::count(count, "expectation has been", "expectations have been")
        };
        format!("rsct: {expectations} deleted.")
    }
}

/// Writes the output and then the summary; no summary after a broken pipe.
fn finish(out: &[u8], summary: &str, code: ExitCode) -> anyhow::Result<ExitCode> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(out).and_then(|()| stdout.flush()) {
        Ok(()) => {
            message::write(format!("{summary}\n"));
            Ok(code)
        }
        Err(error) if is_broken_pipe(&error) => Ok(code),
        Err(error) => Err(error).context("writing expectations to standard output"),
    }
}

fn exit_code(all_went_well: bool) -> ExitCode {
    if all_went_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
