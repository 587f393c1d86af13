//! `rsct timeout policy`: timeout policies, which rules assign to flows.

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
    cli::{namespaces::Namespaces, shared_args::FormatArg},
    kernel::netns::Netns,
    netlink::timeout::Policy,
    render::{
        nfct,
        policies::{self as render, Line},
    },
    schema,
};

/// Add, replace, list and delete timeout policies
///
/// A policy has timeouts for the states of one protocol. It applies to the flows to which a rule with iptables' CT target
/// assigns it (`rsct timeout attach`).
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct timeout policy add dns inet udp unreplied=5 replied=10
  rsct timeout policy list
  rsct timeout policy delete dns")]
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

/// Formats of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PolicyFormat {
    /// Aligned columns
    Text,
    /// One JSON object per line
    Json,
    /// Format of `nfct list timeout`
    Nfct,
}

/// The namespace of policies, and what uses them.
struct Usage<'a> {
    namespaces: &'a Namespaces,
    netns: &'a Netns,
    rules: &'a Rules,
    flows: Option<Counted>,
}

impl FormatArg<PolicyFormat> {
    /// The beginning of the output: with JSON its first line.
    fn begin(self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.format == PolicyFormat::Json {
            schema::begin(&mut out, schema::Command::TimeoutPolicy);
        }
        out
    }

    /// Appends policies of a namespace.
    fn policies(self, out: &mut Vec<u8>, policies: &[Policy], usage: &Usage<'_>) {
        let Usage {
            namespaces,
            netns,
            rules,
            flows,
        } = usage;
        let width = render::width(policies);
        if self.format == PolicyFormat::Text && !policies.is_empty() {
            render::header(out, namespaces.column(), width, flows.is_some());
        }
        for policy in policies {
            let line = Line {
                policy,
                rules: rules.count(policy),
                flows: flows.as_ref().map(|flows| flows.of(policy)),
            };
            match self.format {
                PolicyFormat::Text => render::text(out, &line, netns, namespaces.column(), width),
                PolicyFormat::Json => {
                    render::json(out, &line, namespaces.are_named().then_some(netns));
                }
                PolicyFormat::Nfct => nfct::policy(out, policy),
            }
        }
    }
}
