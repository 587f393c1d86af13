//! `rsct timeout policy delete` and `flush`.

use std::{ffi::OsString, process::ExitCode};

use anyhow::bail;
use clap::Args;

use super::{Output, Shown, name, refusal, rules::Rules};
use crate::{
    cli::{
        UsageError,
        namespaces::{Namespaces, NetnsArg},
        timeout::{exit_code, print},
    },
    netlink::{
        Socket,
        timeout::{self, Policy},
    },
    outside::shown,
    plural,
    render::policies::uses,
    waiting,
};

/// Delete policies, and show them as they were.
///
/// All of them, or where one is missing or used by a rule, none. Flows that had one have the namespace's timeouts from
/// their next packet on.
#[derive(Debug, Args)]
pub(super) struct DeleteArgs {
    /// Their names.
    #[arg(value_name = "NAME", required = true)]
    names: Vec<OsString>,
    #[command(flatten)]
    how: HowArgs,
}

/// Delete every policy that no rule uses, show them as they were, and say which stayed.
///
/// One that something uses stays too where no program shows the rules.
#[derive(Debug, Args)]
pub(super) struct FlushArgs {
    #[command(flatten)]
    how: HowArgs,
}

#[derive(Debug, Args)]
struct HowArgs {
    /// How policies look that went.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    netns: NetnsArg,
}

impl HowArgs {
    /// Goes through the namespaces, and shows which of the policies that there are went in each.
    fn each(
        &self,
        mut delete: impl AsyncFnMut(&mut Socket, &There, &mut Vec<Policy>) -> anyhow::Result<()>,
    ) -> anyhow::Result<ExitCode> {
        let namespaces = Namespaces::open(&self.netns)?;
        let mut out = Vec::new();
        let mut count = 0;
        let visit = namespaces.visit(async |netns, socket| {
            let policies = timeout::list(socket).await.map_err(refusal::of_list)?;
            let rules = Rules::holding(&policies, &namespaces, netns, socket).await;
            let there = There { policies, rules };
            let mut gone = Vec::new();
            let deleted = delete(socket, &there, &mut gone).await;
            count += gone.len();
            let at = Shown {
                namespaces: &namespaces,
                netns,
                rules: &there.rules,
                flows: None,
            };
            self.output.policies(&mut out, &gone, &at);
            deleted
        });
        let visited = waiting::block_on(visit);
        print(&out)?;
        let all_went_well = visited?;
        namespaces.tell_of_hidden();
        message!(
            "{} been deleted.",
            plural::count(count, "timeout policy has", "timeout policies have")
        );
        Ok(exit_code(all_went_well))
    }
}

/// What there was before.
struct There {
    policies: Vec<Policy>,
    rules: Rules,
}

/// Runs `rsct timeout policy delete`.
pub(super) fn delete(args: &DeleteArgs) -> anyhow::Result<ExitCode> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in &args.names {
        let name = name::existing(name)?;
        if names.contains(&name) {
            return Err(UsageError(format!("{}: it is given twice", shown(name))).into());
        }
        names.push(name);
    }
    args.how.each(async |socket, there, gone| {
        let mut meant = Vec::new();
        // Looked at before the first goes, so that what can't be done leaves nothing half done.
        for name in &names {
            let Some(policy) = find(&there.policies, name) else {
                bail!(
                    "deleting the timeout policy {}: there is none of this name; {}",
                    shown(name),
                    refusal::names(&there.policies)
                );
            };
            let rules = there.rules.count(policy);
            if rules.is_some_and(|rules| rules > 0) {
                bail!(
                    "deleting the timeout policy {}: {}",
                    shown(name),
                    refusal::held(name, rules)
                );
            }
            meant.push((*name, policy));
        }
        // First those that something holds, which may be a flow, or a rule that no program shows.
        meant.sort_by_key(|(_, policy)| std::cmp::Reverse(uses(policy)));
        for (name, policy) in meant {
            match timeout::delete(socket, name).await {
                Ok(()) => gone.push(policy.clone()),
                Err(error) => return Err(refusal::of(socket, "deleting", name, error).await),
            }
        }
        Ok(())
    })
}

/// Runs `rsct timeout policy flush`.
pub(super) fn flush(args: &FlushArgs) -> anyhow::Result<ExitCode> {
    args.how.each(async |socket, there, gone| {
        // One by one: the kernel does not say which of them stay.
        for policy in &there.policies {
            let name = policy.name.as_deref().unwrap_or_default();
            // Newer kernels delete a policy under the rules that use it: see there.
            let rules = there.rules.count(policy);
            if rules != Some(0) {
                stays(name, rules);
                continue;
            }
            match timeout::delete(socket, name).await {
                Ok(()) => gone.push(policy.clone()),
                Err(error) => match error.errno() {
                    Some(libc::EBUSY) => stays(name, None),
                    // Somebody else was faster.
                    Some(libc::ENOENT) => {}
                    _ => return Err(refusal::of(socket, "deleting", name, error).await),
                },
            }
        }
        Ok(())
    })
}

fn stays(name: &[u8], rules: Option<usize>) {
    message!("{} stays: {}", shown(name), refusal::held(name, rules));
}

fn find<'a>(policies: &'a [Policy], name: &[u8]) -> Option<&'a Policy> {
    policies
        .iter()
        .find(|policy| policy.name.as_deref() == Some(name))
}
