//! `rsct timeout`: how long entries live.

mod assignments;
mod attach;
mod detach;
mod expiring;
mod match_args;
mod persist;
mod place;
mod policy;
mod protocol;
mod rules;
mod set;
mod show;
mod soonest;
mod what_if;
mod why;

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};

use super::is_broken_pipe;

/// Show and set how long entries live.
///
/// An entry lives until its timeout has run out; each packet of its flow gives it the timeout of the state that it is
/// in then. Every network namespace has timeouts of its own.
#[derive(Debug, Args)]
pub struct TimeoutArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Show(show::ShowArgs),
    Set(set::SetArgs),
    Policy(policy::PolicyArgs),
    Attach(Box<attach::AttachArgs>),
    Detach(Box<detach::DetachArgs>),
    Rules(rules::RulesArgs),
    Expiring(Box<expiring::ExpiringArgs>),
    Why(Box<why::WhyArgs>),
    WhatIf(Box<what_if::WhatIfArgs>),
}

/// Runs `rsct timeout`.
pub fn run(args: &TimeoutArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Show(args) => show::run(args),
        Command::Set(args) => set::run(args),
        Command::Policy(args) => policy::run(args),
        Command::Attach(args) => attach::run(args),
        Command::Detach(args) => detach::run(args),
        Command::Rules(args) => rules::run(args),
        Command::Expiring(args) => expiring::run(args),
        Command::Why(args) => why::run(args),
        Command::WhatIf(args) => what_if::run(args),
    }
}

/// How what is shown looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Aligned columns.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
}

/// Writes to standard output; that nobody reads is no error.
fn print(out: &[u8]) -> anyhow::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(out).and_then(|()| stdout.flush()) {
        Err(error) if !is_broken_pipe(&error) => Err(error).context("writing timeouts to standard output"),
        _ => Ok(()),
    }
}

fn exit_code(all_went_well: bool) -> ExitCode {
    if all_went_well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
