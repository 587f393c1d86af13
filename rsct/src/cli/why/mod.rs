//! `rsct why`: one command for each question that people come with.

mod all;
mod causes;
mod common;
mod delete;
mod drop;
mod flow;
mod full;
mod insert;
mod invalid;
mod list;
mod lookup;
mod lost;
mod nat;
mod unreplied;

use std::process::ExitCode;

use clap::{Args, Command, Subcommand};

/// Tell why: watch for a while, then answer, with numbers, places and what to do about it.
///
/// Without more, everything that comes to a bad end is told of. Else a TOPIC is asked about, or one FLOW in the words that conntrack prints it in: `rsct why udp src=10.0.0.1
/// dst=10.0.0.2 sport=1 dport=2`, or a whole line that was pasted.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_value_name = "TOPIC",
    subcommand_help_heading = "Topics"
)]
pub struct WhyArgs {
    #[command(subcommand)]
    topic: Option<Topic>,
    #[command(flatten)]
    flow: flow::FlowArgs,
    /// List every cause that there is, what it means and what to do about it.
    #[arg(long, exclusive = true)]
    causes: bool,
}

#[derive(Debug, Subcommand)]
enum Topic {
    Invalid(Box<invalid::InvalidArgs>),
    Delete(Box<delete::DeleteArgs>),
    Insert(Box<insert::InsertArgs>),
    Drop(Box<drop::DropArgs>),
    Nat(Box<nat::NatArgs>),
    Full(Box<full::FullArgs>),
    Lost(Box<lost::LostArgs>),
    Unreplied(Box<unreplied::UnrepliedArgs>),
}

impl Topic {
    /// The names of all topics, for a sentence.
    fn names() -> String {
        let command = Self::augment_subcommands(Command::new("why"));
        let names: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
        names.join(", ")
    }
}

/// Runs `rsct why`.
pub fn run(args: &WhyArgs) -> anyhow::Result<ExitCode> {
    if args.causes {
        return list::run();
    }
    match &args.topic {
        Some(Topic::Invalid(args)) => invalid::run(args),
        Some(Topic::Delete(args)) => delete::run(args),
        Some(Topic::Insert(args)) => insert::run(args),
        Some(Topic::Drop(args)) => drop::run(args),
        Some(Topic::Nat(args)) => nat::run(args),
        Some(Topic::Lost(args)) => lost::run(args),
        Some(Topic::Full(args)) => full::run(args),
        Some(Topic::Unreplied(args)) => unreplied::run(args),
        None if args.flow.names_none() => all::run(args.flow.watching()),
        None => flow::run(&args.flow),
    }
}
