//! `rsct timeout policy delete` and `flush`.

use std::{ffi::OsString, process::ExitCode};

use anyhow::bail;
use clap::Args;

use super::{PolicyFormat, Usage, name, refusal, rules::Rules};
use crate::{
    cli::{
        UsageError,
        namespaces::{Namespaces, NetnsArg},
        shared_args::FormatArg,
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

/// Delete timeout policies
///
/// Prints the deleted policies. Deletes none if one of them is missing or used by a rule. Flows of a deleted policy get the
/// namespace's timeouts from their next packet on.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct timeout policy delete dns
  rsct timeout policy delete dns web --netns blue")]
pub(super) struct DeleteArgs {
    /// Names of the policies
    #[arg(value_name = "NAME", required = true)]
    names: Vec<OsString>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Delete all timeout policies that no rule uses
///
/// Prints the deleted policies, and reports the others on stderr. A policy that is in use also stays if no program lists
/// the rules.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct timeout policy flush
  rsct timeout policy flush --netns all -o json")]
pub(super) struct FlushArgs {
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Args)]
struct OutputArgs {
    #[command(flatten)]
    output: FormatArg<PolicyFormat>,
    #[command(flatten)]
    netns: NetnsArg,
}

impl OutputArgs {
    /// Calls `delete` for each namespace, and prints the deleted policies.
    fn each(
        &self,
        mut delete: impl AsyncFnMut(&mut Socket, &Existing, &mut Vec<Policy>) -> anyhow::Result<()>,
    ) -> anyhow::Result<ExitCode> {
        let namespaces = Namespaces::open(&self.netns)?;
        let mut out = self.output.begin();
        let mut count = 0;
        let visit = namespaces.visit(async |netns, socket| {
            let policies = timeout::list(socket).await.map_err(refusal::of_list)?;
            let rules = Rules::holding(&policies, &namespaces, netns, socket).await;
            let existing = Existing { policies, rules };
            let mut deleted = Vec::new();
            let result = delete(socket, &existing, &mut deleted).await;
            count += deleted.len();
            let usage = Usage {
                namespaces: &namespaces,
                netns,
                rules: &existing.rules,
                flows: None,
            };
            self.output.policies(&mut out, &deleted, &usage);
            result
        });
        let visited = waiting::block_on(visit);
        print(&out)?;
        let all_went_well = visited?;
        namespaces.report_hidden();
        message!(
            "{} been deleted.",
            plural::count(count, "timeout policy has", "timeout policies have")
        );
        Ok(exit_code(all_went_well))
    }
}

/// The policies before the deletion.
struct Existing {
    policies: Vec<Policy>,
    rules: Rules,
}

/// Runs `rsct timeout policy delete`.
pub(super) fn delete(args: &DeleteArgs) -> anyhow::Result<ExitCode> {
    let mut names: Vec<&[u8]> = Vec::new();
    for name in &args.names {
        let name = name::existing(name)?;
        if names.contains(&name) {
            return Err(UsageError(format!("{}: the name is given twice", shown(name))).into());
        }
        names.push(name);
    }
    args.output.each(async |socket, existing, deleted| {
        let mut selected = Vec::new();
        // All are checked before the first is deleted.
        for name in &names {
            let Some(policy) = find(&existing.policies, name) else {
                bail!(
                    "deleting the timeout policy {}: there is no policy of this name; {}",
                    shown(name),
                    refusal::names(&existing.policies)
                );
            };
            let rules = existing.rules.count(policy);
            if rules.is_some_and(|rules| rules > 0) {
                bail!(
                    "deleting the timeout policy {}: {}",
                    shown(name),
                    refusal::in_use(name, rules)
                );
            }
            selected.push((*name, policy));
        }
        // First those in use, by a flow or by a rule that no program lists: their deletion may fail.
        selected.sort_by_key(|(_, policy)| std::cmp::Reverse(uses(policy)));
        for (name, policy) in selected {
            match timeout::delete(socket, name).await {
                Ok(()) => deleted.push(policy.clone()),
                Err(error) => return Err(refusal::of(socket, "deleting", name, error).await),
            }
        }
        Ok(())
    })
}

/// Runs `rsct timeout policy flush`.
pub(super) fn flush(args: &FlushArgs) -> anyhow::Result<ExitCode> {
    args.output.each(async |socket, existing, deleted| {
        // One by one: a flush request does not return which policies stay.
        for policy in &existing.policies {
            let name = policy.name.as_deref().unwrap_or_default();
            // Newer kernels delete a policy that rules use: see rules.rs.
            let rules = existing.rules.count(policy);
            if rules != Some(0) {
                report_kept(name, rules);
                continue;
            }
            match timeout::delete(socket, name).await {
                Ok(()) => deleted.push(policy.clone()),
                Err(error) => match error.errno() {
                    Some(libc::EBUSY) => report_kept(name, None),
                    // Another program deleted it.
                    Some(libc::ENOENT) => {}
                    _ => return Err(refusal::of(socket, "deleting", name, error).await),
                },
            }
        }
        Ok(())
    })
}

fn report_kept(name: &[u8], rules: Option<usize>) {
    message!("{} is not deleted: {}", shown(name), refusal::in_use(name, rules));
}

fn find<'a>(policies: &'a [Policy], name: &[u8]) -> Option<&'a Policy> {
    policies
        .iter()
        .find(|policy| policy.name.as_deref() == Some(name))
}
