//! `rsct why`: one subcommand for each question.

mod all;
mod causes;
mod common;
mod flow;
mod full;
mod list;
mod lookup;
mod unreplied;

use std::process::ExitCode;

use clap::{Args, Command, Subcommand};

use self::causes::CausesArgs;
use crate::why::topics;

/// Explain drops, INVALID packets, failed inserts and deletions
///
/// Watches for --duration, then reports each cause with its count, flows, interfaces and tasks, and what to do about it.
/// Ctrl-C stops the watch; the report covers the time until then.
///
/// Without arguments, reports all causes of drops, failed inserts and deletions. Give a TOPIC to narrow it, or a FLOW as
/// printed by `conntrack -L`: its words, or the whole line.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_value_name = "TOPIC",
    subcommand_help_heading = "Topics",
    after_long_help = "\
Examples:
  rsct why insert --netns all --duration 60s
  rsct why delete --input fault.rsct
  rsct why udp src=10.0.0.1 dst=10.0.0.2 sport=4000 dport=53"
)]
pub struct WhyArgs {
    #[command(subcommand)]
    topic: Option<Topic>,
    #[command(flatten)]
    flow: flow::FlowArgs,
    /// List all causes with their meaning and what to do about them
    #[arg(long, exclusive = true)]
    causes: bool,
}

#[derive(Debug, Subcommand)]
enum Topic {
    /// Explain INVALID packets: the kernel's reason, for TCP the window
    ///
    /// For TCP segments out of window, reports the limit that was missed and by how much.
    #[command(after_long_help = "\
Examples:
  rsct why invalid -p tcp
  rsct why invalid --netns all --duration 60s")]
    Invalid(Box<CausesArgs>),
    /// Explain deletions: the cause, the kernel stack and the task
    #[command(after_long_help = "\
Examples:
  rsct why delete -s 10.0.0.5
  rsct why delete --duration 5m -o json")]
    Delete(Box<CausesArgs>),
    /// Explain failed inserts and clashes: the entry in the way, the outcome
    ///
    /// Also reports requests of programs that the kernel rejected, which no counter shows.
    #[command(after_long_help = "\
Examples:
  rsct why insert
  rsct why insert --netns all --top 3")]
    Insert(Box<CausesArgs>),
    /// Explain packets whose entry was never confirmed: hook, kernel's reason
    ///
    /// Also reports packets that conntrack itself dropped.
    #[command(after_long_help = "\
Examples:
  rsct why drop -p tcp --dport 443
  rsct why drop --netns all")]
    Drop(Box<CausesArgs>),
    /// Report NAT's search for ports: range, tries, duration, exhaustion
    #[command(after_long_help = "\
Examples:
  rsct why nat
  rsct why nat -p udp --duration 60s -o json")]
    Nat(Box<CausesArgs>),
    Full(Box<full::FullArgs>),
    /// Report lost netlink events: flows, listeners, redelivery
    #[command(after_long_help = "\
Examples:
  rsct why lost
  rsct why lost --netns all --duration 60s")]
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
        None if args.flow.is_empty() => all::run(args.flow.watching()),
        None => flow::run(&args.flow),
    }
}
