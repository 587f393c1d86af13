//! `rsct timeout policy`: timeouts that rules give to flows.

mod delete;
mod flows;
mod list;
mod name;
pub(super) mod refusal;
mod rules;
mod write;

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use flows::Counted;
use rules::Rules;

use crate::{
    cli::namespaces::Namespaces,
    kernel::netns::Netns,
    netlink::timeout::Policy,
    render::{
        nfct,
        policies::{self as render, Line},
    },
    schema,
};

/// Make, change, show and delete timeout policies.
///
/// A policy has timeouts for the states of one protocol. It holds for the flows that a rule gives it to, by iptables'
/// CT target.
#[derive(Debug, Args)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Add(write::AddArgs),
    Replace(write::ReplaceArgs),
    List(list::ListArgs),
    Get(list::GetArgs),
    Delete(delete::DeleteArgs),
    Flush(delete::FlushArgs),
}

/// Runs `rsct timeout policy`.
pub(super) fn run(args: &PolicyArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        Command::Add(args) => write::add(args),
        Command::Replace(args) => write::replace(args),
        Command::List(args) => list::list(args),
        Command::Get(args) => list::get(args),
        Command::Delete(args) => delete::delete(args),
        Command::Flush(args) => delete::flush(args),
    }
}

/// How policies look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Output {
    /// Aligned columns.
    #[default]
    Text,
    /// A JSON object a line.
    Json,
    /// The form of `nfct list timeout`.
    Nfct,
}

/// Where policies are shown.
struct Shown<'a> {
    namespaces: &'a Namespaces,
    netns: &'a Netns,
    rules: &'a Rules,
    flows: Option<Counted>,
}

impl Output {
    /// Appends policies of a namespace.
    fn policies(self, out: &mut Vec<u8>, policies: &[Policy], shown: &Shown<'_>) {
        let Shown {
            namespaces,
            netns,
            rules,
            flows,
        } = shown;
        let width = render::width(policies);
        if self == Self::Text && !policies.is_empty() {
            render::header(out, namespaces.column(), width, flows.is_some());
        }
        for policy in policies {
            let line = Line {
                policy,
                rules: rules.count(policy),
                flows: flows.as_ref().map(|flows| flows.of(policy)),
            };
            match self {
                Self::Text => render::text(out, &line, netns, namespaces.column(), width),
                Self::Json => {
                    schema::begin_once(out, schema::Command::TimeoutPolicy);
                    render::json(out, &line, namespaces.are_named().then_some(netns));
                }
                Self::Nfct => nfct::policy(out, policy),
            }
        }
    }
}
