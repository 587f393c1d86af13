//! `rsct timeout`: timeouts of entries.

mod assignments;
mod attach;
mod detach;
mod expiring;
mod match_args;
mod persist;
mod policy;
mod policy_rules;
mod protocol;
mod recorded_entries;
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
use clap::{Args, Subcommand};

use super::is_broken_pipe;

/// Show, set and explain timeouts; manage timeout policies
///
/// An entry expires when its timeout has run out. Each packet of the flow restarts it with the timeout of the entry's
/// state. Every network namespace has its own timeouts.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct timeout show tcp
  rsct timeout set udp replied=60
  rsct timeout why -p tcp --dport 443")]
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

/// Writes to standard output; a broken pipe is no error.
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
