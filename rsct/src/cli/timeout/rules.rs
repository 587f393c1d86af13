//! `rsct timeout rules`: who attaches which policy.

use std::process::ExitCode;

use clap::Args;

use super::{Output, exit_code, place::Place, print};
use crate::{
    cli::namespaces::{Namespaces, NetnsArg},
    render::rules as render,
    schema::{self, Command},
    waiting,
};

/// Show the rules that attach timeout policies, those that rsct has made and those that others have.
///
/// They are asked of iptables and ip6tables, and of nft for nftables' own timeouts.
#[derive(Debug, Args)]
pub(super) struct RulesArgs {
    /// Only those that attach this one.
    policy: Option<String>,
    /// How rules look.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct timeout rules`.
pub(super) fn run(args: &RulesArgs) -> anyhow::Result<ExitCode> {
    let namespaces = Namespaces::open(&args.netns)?;
    let policy = args.policy.as_deref();
    let mut found = Vec::new();
    let visit = namespaces.visit(async |netns, socket| {
        let place = Place::of(&namespaces, netns, socket).await?;
        let rules = place.rules(policy)?;
        // In one of all namespaces, a policy need not be.
        if let Some(policy) = policy.filter(|_| rules.is_empty() && !namespaces.are_all()) {
            place
                .policy(policy)
                .map_err(|error| error.context(format!("showing the rules that attach {policy}")))?;
        }
        found.extend(rules.into_iter().map(|rule| (netns.inode, rule)));
        Ok(())
    });
    let all_went_well = waiting::block_on(visit)?;
    let mut out = Vec::new();
    if args.output == Output::Text {
        let rules = found.iter().map(|(_, rule)| rule);
        let widths = render::Widths::of(rules, namespaces.column());
        render::header(&mut out, widths);
        for (inode, rule) in &found {
            if let Some(netns) = namespaces.iter().find(|netns| netns.inode == *inode) {
                render::text(&mut out, rule, netns, widths);
            }
        }
    } else {
        schema::begin(&mut out, Command::TimeoutRules);
        for (inode, rule) in &found {
            let netns = namespaces.iter().find(|netns| netns.inode == *inode);
            render::json(&mut out, rule, netns.filter(|_| namespaces.are_named()));
        }
    }
    print(&out)?;
    if args.output == Output::Text && found.iter().any(|(_, rule)| rule.shows_a_part()) {
        message!(
            "this kernel shows the first letters alone of the policy's name in a rule; the rule itself has the \
             whole name."
        );
    }
    namespaces.tell_of_hidden();
    Ok(exit_code(all_went_well))
}
