//! `rsct timeout rules`: the rules that attach policies.

use std::process::ExitCode;

use clap::Args;

use super::{exit_code, policy_rules::PolicyRules, print};
use crate::{
    cli::{
        namespaces::{Namespaces, NetnsArg},
        shared_args::{FormatArg, TextOrJson},
    },
    render::rules as render,
    schema::{self, Command},
    waiting,
};

/// List the rules that attach timeout policies
///
/// Lists the rules of rsct and of other programs, as printed by iptables, ip6tables, and nft for nftables' own timeouts.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct timeout rules
  rsct timeout rules dns -o json")]
pub(super) struct RulesArgs {
    /// Only rules that attach this policy
    policy: Option<String>,
    #[command(flatten)]
    output: FormatArg<TextOrJson>,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct timeout rules`.
pub(super) fn run(args: &RulesArgs) -> anyhow::Result<ExitCode> {
    let namespaces = Namespaces::open(&args.netns)?;
    let policy = args.policy.as_deref();
    let mut found = Vec::new();
    let visit = namespaces.visit(async |netns, socket| {
        let scope = PolicyRules::of(&namespaces, netns, socket).await?;
        let rules = scope.rules(policy)?;
        // With `--netns all`, not every namespace needs to have the policy.
        if let Some(policy) = policy.filter(|_| rules.is_empty() && !namespaces.are_all()) {
            scope
                .policy(policy)
                .map_err(|error| error.context(format!("listing the rules that attach {policy}")))?;
        }
        found.extend(rules.into_iter().map(|rule| (netns.inode, rule)));
        Ok(())
    });
    let all_went_well = waiting::block_on(visit)?;
    let mut out = Vec::new();
    if args.output.format == TextOrJson::Text {
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
            render::json(
                &mut out,
                rule,
                netns.filter(|_| namespaces.are_named()).map(|netns| &**netns),
            );
        }
    }
    print(&out)?;
    if args.output.format == TextOrJson::Text && found.iter().any(|(_, rule)| rule.shows_a_part()) {
        message!(
            "this kernel returns only the first letters of the policy's name in a rule; the rule itself has the \
             whole name."
        );
    }
    namespaces.report_hidden();
    Ok(exit_code(all_went_well))
}
