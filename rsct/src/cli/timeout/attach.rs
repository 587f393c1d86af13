//! `rsct timeout attach`: creates the rules that assign a policy to flows.

use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;

use super::{
    match_args::{HookArg, RuleArgs},
    policy_rules::{PolicyRules, count, family_of},
    print,
};
use crate::{
    cli::UsageError,
    names::proto,
    plural,
    rules::{Call, Rule, Tool},
    timeouts::Protocol,
};

/// Create the rules that give new flows a policy's timeouts
///
/// Prints the commands that it ran: iptables or ip6tables (by the policy's family) with the CT target, or if that program
/// is missing, nft with a copy of the policy's values. Without --hook, creates one rule for received flows and one for
/// flows that this machine starts. Existing flows keep their timeouts. If several rules match a flow, the first one counts.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct timeout attach dns -p udp --dport 53
  rsct timeout attach web --hook prerouting -i eth0 --dport 8000:8080
  rsct timeout attach dns --dry-run")]
pub(super) struct AttachArgs {
    #[command(flatten)]
    rule: RuleArgs,
}

/// Runs `rsct timeout attach`.
pub(super) fn run(args: &AttachArgs) -> anyhow::Result<ExitCode> {
    let args = &args.rule;
    let typed = args.matching.typed();
    let usage = |error| UsageError(format!("attaching the timeout policy {}: {error}", args.policy));
    // Usage errors come before the policy is read.
    let _ = typed.picks().map_err(usage)?;
    let hooks = typed.hooks(args.hook.map(HookArg::hook)).map_err(usage)?;
    let scope = PolicyRules::open(&args.netns)?;
    let doing = || format!("attaching the timeout policy {}", args.policy);
    let policy = scope.policy(&args.policy).with_context(doing)?;
    let family = family_of(policy)
        .with_context(|| format!("{}: conntrack does not track its address family", doing()))?;
    let matching = typed.matching(family, policy.timeouts.l4proto).map_err(usage)?;
    let tool = scope.system.for_family(family).with_context(|| {
        let tool = Tool::of_family(family).name();
        format!(
            "{}: neither {tool} nor nft is in PATH; install one of them",
            doing()
        )
    })?;
    let existing = scope.rules(Some(&args.policy)).with_context(doing)?;
    let rule = |hook| Rule {
        policy: args.policy.clone(),
        family,
        hook,
        matching: matching.clone(),
    };
    let (already, rules): (Vec<Rule>, Vec<Rule>) = hooks
        .into_iter()
        .map(rule)
        .partition(|rule| existing.iter().any(|listed| listed.is_already(rule)));
    if !already.is_empty() {
        let hooks: Vec<&str> = already.iter().map(|rule| rule.hook.name()).collect();
        message!(
            "{} is already attached with this match at {}",
            args.policy,
            hooks.join(" and ")
        );
    }
    if rules.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let calls = scope.system.adding(tool, &rules, &policy.timeouts);
    let calls = calls.with_context(doing)?;
    if !args.dry_run.dry_run {
        create(&scope, &calls, &rules).map_err(|error| anyhow!("{}: {error}", doing()))?;
    }
    print(shown(&calls).as_bytes())?;
    if args.dry_run.dry_run {
        message!("{} would be created.", count(rules.len()));
    } else {
        message!(
            "{} created: new flows that match get {}'s timeouts, existing flows keep theirs.",
            have_been(rules.len()),
            args.policy
        );
    }
    if tool == Tool::Nft {
        report_copy(&args.policy, policy.timeouts.l4proto, Tool::of_family(family));
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the commands, one for each rule or one for all. If one fails, the rules before it are deleted again.
fn create(scope: &PolicyRules, calls: &[Call], rules: &[Rule]) -> anyhow::Result<()> {
    for (done, call) in calls.iter().enumerate() {
        if let Err(error) = scope.system.run(call) {
            return Err(undone(scope, &rules[..done], &error.into()));
        }
        if call.tool != Tool::Nft
            && let Err(error) = can_stay(scope, &rules[done])
        {
            return Err(undone(scope, &rules[..=done], &error));
        }
    }
    Ok(())
}

/// Returns an error if the rule would prevent iptables from changing the others.
fn can_stay(scope: &PolicyRules, rule: &Rule) -> anyhow::Result<()> {
    let existing = scope.rules(Some(&rule.policy))?;
    let created = existing.iter().find(|listed| listed.is_already(rule));
    let created = created.context("the created rule is not listed")?;
    if scope.system.blocks_its_table(created)? {
        bail!(
            "this kernel returns only the first 4 letters of a policy's name, so iptables-legacy could change no other rule \
             while this one exists; give the policy a name of at most 4 letters, or use iptables-nft"
        );
    }
    Ok(())
}

/// Deletes the rules that were created before an error, and adds the outcome to the error.
fn undone(scope: &PolicyRules, created: &[Rule], failed: &anyhow::Error) -> anyhow::Error {
    let Some(first) = created.first() else {
        return anyhow!("{failed:#}");
    };
    let at: Vec<&str> = created.iter().map(|rule| rule.hook.name()).collect();
    let at = at.join(" and ");
    match delete(scope, created) {
        Ok(()) => anyhow!("{failed:#}; the rules created before, at {at}, have been deleted again"),
        Err(error) => anyhow!(
            "{failed:#}; the rules created before, at {at}, could not be deleted again ({error:#}): run `rsct timeout detach {}`",
            first.policy
        ),
    }
}

fn delete(scope: &PolicyRules, created: &[Rule]) -> anyhow::Result<()> {
    for rule in created {
        let existing = scope.rules(Some(&rule.policy))?;
        let Some(listed) = existing.iter().find(|listed| listed.is_already(rule)) else {
            bail!("the rule is not listed");
        };
        for (call, _) in scope.system.removing(&[listed])? {
            scope.system.run(&call)?;
        }
    }
    Ok(())
}

/// The commands, one per line.
pub(super) fn shown<'a>(calls: impl IntoIterator<Item = &'a Call>) -> String {
    calls.into_iter().map(|call| format!("{call}\n")).collect()
}

/// "1 rule has been", "2 rules have been".
pub(super) fn have_been(rules: usize) -> String {
    plural::count(rules, "rule has been", "rules have been")
}

fn report_copy(policy: &str, l4proto: u8, missing: Tool) {
    let kept = if l4proto == proto::TCP {
        ", except syn_sent2, which nftables does not have"
    } else {
        ""
    };
    message!(
        "{} is not in PATH: nftables has a copy of the {} values of {policy}{kept}; later changes of the policy do \
         not change it.",
        missing.name(),
        Protocol::of_number(l4proto).name,
    );
}
