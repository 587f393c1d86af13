//! `rsct timeout attach`: a policy goes to work.

use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;

use super::{
    match_args::{HookArg, MatchArgs},
    place::{Place, count, family_of},
    print,
};
use crate::{
    cli::{UsageError, namespaces::NetnsArg},
    flow::names::proto,
    plural,
    rules::{Call, Rule, Tool},
    timeouts::Protocol,
};

/// Have new flows get a policy's timeouts: make the rules that attach it, and show them.
///
/// The rules are made with iptables or ip6tables, as the policy's family is, and its CT target; where that program is
/// missing, with nft, which gets a copy of the policy's values. Without --hook, one is made for flows that come in and one
/// for flows that this machine begins. Flows that are there keep their timeouts. Of several rules that match a flow, the
/// first one counts.
#[derive(Debug, Args)]
pub(super) struct AttachArgs {
    /// The policy.
    policy: String,
    /// Only here, and not at both hooks.
    #[arg(long, value_enum)]
    hook: Option<HookArg>,
    /// Change nothing, show the commands that would be run.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    netns: NetnsArg,
    #[command(flatten)]
    matching: MatchArgs,
}

/// Runs `rsct timeout attach`.
pub(super) fn run(args: &AttachArgs) -> anyhow::Result<ExitCode> {
    let typed = args.matching.typed();
    let usage = |error| UsageError(format!("attaching the timeout policy {}: {error}", args.policy));
    // What can be said without a look at the policy is said first.
    let _ = typed.picks().map_err(usage)?;
    let hooks = typed.hooks(args.hook.map(HookArg::hook)).map_err(usage)?;
    let place = Place::open(&args.netns)?;
    let doing = || format!("attaching the timeout policy {}", args.policy);
    let policy = place.policy(&args.policy).with_context(doing)?;
    let family = family_of(policy)
        .with_context(|| format!("{}: it is of a family that conntrack does not track", doing()))?;
    let matching = typed.matching(family, policy.timeouts.l4proto).map_err(usage)?;
    let tool = place.system.for_family(family).with_context(|| {
        let tool = Tool::of_family(family).name();
        format!(
            "{}: there is neither {tool} nor nft in PATH; install one of them",
            doing()
        )
    })?;
    let there = place.rules(Some(&args.policy)).with_context(doing)?;
    let rule = |hook| Rule {
        policy: args.policy.clone(),
        family,
        hook,
        matching: matching.clone(),
    };
    let (already, rules): (Vec<Rule>, Vec<Rule>) = hooks
        .into_iter()
        .map(rule)
        .partition(|rule| there.iter().any(|listed| listed.is_already(rule)));
    if !already.is_empty() {
        let hooks: Vec<&str> = already.iter().map(|rule| rule.hook.name()).collect();
        message!(
            "{} is attached with this match already at {}",
            args.policy,
            hooks.join(" and ")
        );
    }
    if rules.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let calls = place.system.adding(tool, &rules, &policy.timeouts);
    let calls = calls.with_context(doing)?;
    if !args.dry_run {
        make(&place, &calls, &rules).map_err(|error| anyhow!("{}: {error}", doing()))?;
    }
    print(shown(&calls).as_bytes())?;
    if args.dry_run {
        message!("{} would be made.", count(rules.len()));
    } else {
        message!(
            "{} made: new flows that match get {}'s timeouts, those that are there keep theirs.",
            have_been(rules.len()),
            args.policy
        );
    }
    if tool == Tool::Nft {
        tell_of_the_copy(&args.policy, policy.timeouts.l4proto, Tool::of_family(family));
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs the commands, one for each rule or one for all. Where one fails, those before it are undone.
fn make(place: &Place, calls: &[Call], rules: &[Rule]) -> anyhow::Result<()> {
    for (done, call) in calls.iter().enumerate() {
        if let Err(error) = place.system.run(call) {
            return Err(undone(place, &rules[..done], &error.into()));
        }
        if call.tool != Tool::Nft
            && let Err(error) = can_stay(place, &rules[done])
        {
            return Err(undone(place, &rules[..=done], &error));
        }
    }
    Ok(())
}

/// A rule must not keep iptables from changing the others.
fn can_stay(place: &Place, rule: &Rule) -> anyhow::Result<()> {
    let there = place.rules(Some(&rule.policy))?;
    let made = there.iter().find(|listed| listed.is_already(rule));
    let made = made.context("the rule that has been made is not shown")?;
    if place.system.blocks_its_table(made)? {
        bail!(
            "this kernel hands back the first 4 letters alone of a policy's name, and iptables-legacy could change no other \
             rule while this one is there; give the policy a name of at most 4 letters, or have iptables be iptables-nft"
        );
    }
    Ok(())
}

/// Takes the rules away that were made before something failed, and says so.
fn undone(place: &Place, made: &[Rule], failed: &anyhow::Error) -> anyhow::Error {
    let Some(first) = made.first() else {
        return anyhow!("{failed:#}");
    };
    let at: Vec<&str> = made.iter().map(|rule| rule.hook.name()).collect();
    let at = at.join(" and ");
    match take_away(place, made) {
        Ok(()) => anyhow!("{failed:#}; what was made, at {at}, has been taken away again"),
        Err(error) => anyhow!(
            "{failed:#}; what was made, at {at}, could not be taken away again ({error:#}): `rsct timeout detach {}` does it",
            first.policy
        ),
    }
}

fn take_away(place: &Place, made: &[Rule]) -> anyhow::Result<()> {
    for rule in made {
        let there = place.rules(Some(&rule.policy))?;
        let Some(listed) = there.iter().find(|listed| listed.is_already(rule)) else {
            bail!("it is not found");
        };
        for (call, _) in place.system.removing(&[listed])? {
            place.system.run(&call)?;
        }
    }
    Ok(())
}

/// The commands, a line each.
pub(super) fn shown<'a>(calls: impl IntoIterator<Item = &'a Call>) -> String {
    calls.into_iter().map(|call| format!("{call}\n")).collect()
}

/// "1 rule has been", "2 rules have been".
pub(super) fn have_been(rules: usize) -> String {
    plural::count(rules, "rule has been", "rules have been")
}

fn tell_of_the_copy(policy: &str, l4proto: u8, missing: Tool) {
    let kept = if l4proto == proto::TCP {
        ", but for syn_sent2, which it has no word for"
    } else {
        ""
    };
    message!(
        "there is no {} in PATH: nftables has a copy of the {} values of {policy}{kept}; changes of the policy don't \
         reach it.",
        missing.name(),
        Protocol::of_number(l4proto).name,
    );
}
