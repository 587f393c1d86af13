//! `rsct timeout detach`: rules that `rsct timeout attach` made go, and no others.

use std::process::ExitCode;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;

use super::{
    attach::{have_been, shown},
    match_args::{HookArg, MatchArgs},
    place::{Place, count},
    print,
};
use crate::{
    cli::{UsageError, namespaces::NetnsArg},
    rules::{Call, Listed},
};

/// Take away the rules that `rsct timeout attach` has made for a policy, and show how.
///
/// All of them go, or those that are at the hook and have the match that is given. Rules that others have made are left
/// alone, and told of. Flows that got the policy's timeouts keep them.
#[derive(Debug, Args)]
pub(super) struct DetachArgs {
    /// The policy.
    policy: String,
    /// Only at this hook.
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

/// Runs `rsct timeout detach`.
pub(super) fn run(args: &DetachArgs) -> anyhow::Result<ExitCode> {
    let typed = args.matching.typed();
    let doing = || format!("detaching the timeout policy {}", args.policy);
    let picks = typed
        .picks()
        .map_err(|error| UsageError(format!("{}: {error}", doing())))?;
    let hook = args.hook.map(HookArg::hook);
    let goes = |rule: &&Listed| {
        let matches = || rule.matching.as_ref().is_some_and(&picks);
        rule.ours && hook.is_none_or(|hook| rule.hook == Some(hook)) && (typed.is_empty() || matches())
    };
    let place = Place::open(&args.netns)?;
    let there = place.rules(Some(&args.policy)).with_context(doing)?;
    let going: Vec<&Listed> = there.iter().filter(goes).collect();
    let others = there.iter().filter(|rule| !rule.ours).count();
    let is_sure = there.iter().all(|rule| rule.candidates.is_empty());
    if going.is_empty() {
        if there.is_empty() {
            place.policy(&args.policy).with_context(doing)?;
        }
        let there = match (there.len() - others, others) {
            (0, 0) => "no rule attaches it".to_owned(),
            (0, others) => format!("rsct has made none of the rules that attach it ({others})"),
            (ours, _) => {
                format!("none of the rules that rsct has made ({ours}) is at the hook and has the match")
            }
        };
        bail!("{}: {there}; `rsct timeout rules` shows what there is", doing());
    }
    let calls = place.system.removing(&going).with_context(doing)?;
    let mut done: Vec<&Call> = Vec::new();
    let mut gone = 0;
    let mut failed = None;
    for (call, rules) in &calls {
        if !args.dry_run
            && let Err(error) = place.system.run(call)
        {
            failed = Some(error);
            break;
        }
        done.push(call);
        gone += rules.len();
    }
    print(shown(done).as_bytes())?;
    match failed {
        Some(error) if gone > 0 => bail!("{}: {error}; {} taken away before", doing(), have_been(gone)),
        Some(error) => return Err(anyhow!(error).context(doing())),
        None if args.dry_run => message!("{} would be taken away.", count(gone)),
        None => message!("{} taken away.", have_been(gone)),
    }
    if others > 0 {
        let verb = match (others, is_sure) {
            (_, false) => "may attach",
            (1, true) => "attaches",
            (_, true) => "attach",
        };
        let policy = &args.policy;
        message!(
            "{} that rsct has not made {verb} {policy} too; `rsct timeout rules {policy}` shows what there is.",
            count(others)
        );
    }
    Ok(ExitCode::SUCCESS)
}
