//! `rsct expect`: the connections that helpers have read the announcement of.

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

use super::is_broken_pipe;
use crate::render::expect::Format;

/// Show, make, delete and watch expectations, such as of FTP's data connections.
///
/// An expectation is of a connection that a helper has read the announcement of in another, its master.
#[derive(Debug, Args)]
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

/// How expectations look.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Output {
    /// The line of `conntrack -L expect`.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
    /// The XML of `conntrack -L expect -o xml`.
    Xml,
}

impl Output {
    fn format(self) -> Format {
        match self {
            Self::Text => Format::Text,
            Self::Json => Format::Json,
            Self::Xml => Format::Xml,
        }
    }
}

/// What `delete` and `flush` have in common.
#[derive(Clone, Copy, Debug, Args)]
struct DeletingArgs {
    /// How expectations look that go.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// Say only how many went.
    #[arg(short, long, conflicts_with = "output")]
    quiet: bool,
    /// Delete nothing, say what would go.
    #[arg(long)]
    dry_run: bool,
}

impl DeletingArgs {
    /// What is said at the end.
    fn summary(self, count: u64) -> String {
        let expectations = if self.dry_run {
            plural::count(count, "expectation would be", "expectations would be")
        } else {
            plural::count(count, "expectation has been", "expectations have been")
        };
        format!("rsct: {expectations} deleted.")
    }
}

/// Writes what is left, and says at the end what was done; says nothing where nobody reads any more.
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
