//! `rsct timeout detach`: deletes rules created by `rsct timeout attach`, and no others.

use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;

use super::{
    attach::{have_been, shown},
    match_args::{HookArg, RuleArgs},
    policy_rules::{PolicyRules, count},
    print,
};
use crate::{
    cli::UsageError,
    rules::{Call, Listed},
};

/// Delete the rules that rsct timeout attach created for a policy
///
/// Prints the commands that it ran. Deletes all of the policy's rules, or only those with the given hook and match. Rules
/// of other programs stay and are reported. Flows that have the policy's timeouts keep them.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct timeout detach dns
  rsct timeout detach web --hook prerouting -i eth0 --dport 8000:8080
  rsct timeout detach dns --dry-run")]
pub(super) struct DetachArgs {
    #[command(flatten)]
    rule: RuleArgs,
}

/// Runs `rsct timeout detach`.
pub(super) fn run(args: &DetachArgs) -> anyhow::Result<ExitCode> {
    let args = &args.rule;
    let typed = args.matching.typed();
    let doing = || format!("detaching the timeout policy {}", args.policy);
    let picks = typed
        .picks()
        .map_err(|error| UsageError(format!("{}: {error}", doing())))?;
    let hook = args.hook.map(HookArg::hook);
    let is_selected = |rule: &&Listed| {
        let matches = || rule.matching.as_ref().is_some_and(&picks);
        rule.ours && hook.is_none_or(|hook| rule.hook == Some(hook)) && (typed.is_empty() || matches())
    };
    let scope = PolicyRules::open(&args.netns)?;
    let existing = scope.rules(Some(&args.policy)).with_context(doing)?;
    let selected: Vec<&Listed> = existing.iter().filter(is_selected).collect();
    let others = existing.iter().filter(|rule| !rule.ours).count();
    let is_sure = existing.iter().all(|rule| rule.candidates.is_empty());
    if selected.is_empty() {
        if existing.is_empty() {
            scope.policy(&args.policy).with_context(doing)?;
        }
        let why = match (existing.len() - others, others) {
            (0, 0) => "no rule attaches it".to_owned(),
            (0, others) => format!("rsct created none of the rules that attach it ({others})"),
            (ours, _) => {
                format!("none of the rules created by rsct ({ours}) has this hook and match")
            }
        };
        bail!("{}: {why}; `rsct timeout rules` lists the rules", doing());
    }
    let calls = scope.system.removing(&selected).with_context(doing)?;
    let mut done: Vec<&Call> = Vec::new();
    let mut deleted = 0;
    let mut failed = None;
    for (call, rules) in &calls {
        if !args.dry_run.dry_run
            && let Err(error) = scope.system.run(call)
        {
            failed = Some(error);
            break;
        }
        done.push(call);
        deleted += rules.len();
    }
    print(shown(done).as_bytes())?;
    match failed {
        Some(error) if deleted > 0 => bail!("{}: {error}; {} deleted before", doing(), have_been(deleted)),
        Some(error) => return Err(anyhow!(error).context(doing())),
        None if args.dry_run.dry_run => message!("{} would be deleted.", count(deleted)),
        None => message!("{} deleted.", have_been(deleted)),
    }
    if others > 0 {
        let verb = match (others, is_sure) {
            (_, false) => "may attach",
            (1, true) => "attaches",
            (_, true) => "attach",
        };
        let policy = &args.policy;
        message!(
            "{} not created by rsct also {verb} {policy}; `rsct timeout rules {policy}` lists the rules.",
            count(others)
        );
    }
    Ok(ExitCode::SUCCESS)
}
