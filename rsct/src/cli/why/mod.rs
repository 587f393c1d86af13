//! `rsct why`: one command for each question that people come with.

mod all;
mod causes;
mod common;
mod flow;
mod full;
mod list;
mod lookup;
mod topics;
mod unreplied;

use std::process::ExitCode;

use clap::{Args, Command, Subcommand};

use self::causes::CausesArgs;

/// Tell why: watch for a while, then answer, with numbers, places and what to do about it.
///
/// Without more, everything that comes to a bad end is told of. Else a TOPIC is asked about, or one FLOW in the words that
/// conntrack prints it in: `rsct why udp src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2`, or a whole line that was pasted.
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
    /// Tell why packets are INVALID: the kernel's own reason, and for TCP the window that was missed and by how much.
    Invalid(Box<CausesArgs>),
    /// Tell why entries leave the table: who called for each delete, from where in the kernel, and for which task.
    Delete(Box<CausesArgs>),
    /// Tell why entries are not inserted, or not as they were meant to be: clashes, who was first and how they ended, and
    /// what a program was refused.
    Insert(Box<CausesArgs>),
    /// Tell where packets ended whose entries never got into the table: the hook, the kernel's own reason, and what
    /// conntrack itself dropped.
    Drop(Box<CausesArgs>),
    /// Tell how NAT looks for addresses and ports: what a rule asks for, how many were tried, how long that took, and when
    /// there is none left.
    Nat(Box<CausesArgs>),
    Full(Box<full::FullArgs>),
    /// Tell which events netlink lost: of which flows, for which listener, and what the kernel does about it.
    Lost(Box<CausesArgs>),
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
        Some(Topic::Invalid(args)) => causes::run(args, &topics::INVALID),
        Some(Topic::Delete(args)) => causes::run(args, &topics::DELETE),
        Some(Topic::Insert(args)) => causes::run(args, &topics::INSERT),
        Some(Topic::Drop(args)) => causes::run(args, &topics::DROP),
        Some(Topic::Nat(args)) => causes::run(args, &topics::NAT),
        Some(Topic::Lost(args)) => causes::run(args, &topics::LOST),
        Some(Topic::Full(args)) => full::run(args),
        Some(Topic::Unreplied(args)) => unreplied::run(args),
        None if args.flow.names_none() => all::run(args.flow.watching()),
        None => flow::run(&args.flow),
    }
}
