//! `rsct timeout policy list` and `get`.

use std::{ffi::OsString, process::ExitCode};

use clap::Args;

use super::{
    Output, Shown,
    flows::{Counted, Flows},
    name, refusal,
    rules::Rules,
};
use crate::{
    cli::{
        namespaces::{Namespaces, NetnsArg, event_loop},
        probing::AttachArg,
        timeout::{exit_code, print},
    },
    kernel::netns::Netns,
    netlink::{
        Error, Socket,
        timeout::{self, Policy},
    },
};

/// Show every policy: its timeouts, and who uses it.
///
/// Rules are those that iptables and ip6tables show; uses is the kernel's own count, which on newer kernels has each rule
/// twice and each flow once.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// How policies look.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// How to attach the probe that counts the flows under each policy.
    #[arg(long, value_enum, default_value_t)]
    attach: AttachArg,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Show a policy.
#[derive(Debug, Args)]
pub(super) struct GetArgs {
    /// Its name.
    name: OsString,
    /// How it looks.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    /// How to attach the probe that counts the flows under each policy.
    #[arg(long, value_enum, default_value_t)]
    attach: AttachArg,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct timeout policy list`.
pub(super) fn list(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let namespaces = Namespaces::open(&args.netns)?;
    let event_loop = event_loop()?;
    let mut flows = None;
    let mut out = Vec::new();
    let mut shown = 0;
    let visit = namespaces.visit(async |netns, socket| {
        let policies = timeout::list(socket).await.map_err(refusal::of_list)?;
        shown += policies.len();
        let rules = &Rules::holding(&policies, &namespaces, netns, socket).await;
        let at = Shown {
            namespaces: &namespaces,
            netns,
            rules,
            flows: live(&mut flows, args.output, args.attach, &policies, netns, socket).await?,
        };
        args.output.policies(&mut out, &policies, &at);
        Ok(())
    });
    let all_went_well = event_loop.block_on(visit)?;
    print(&out)?;
    namespaces.tell_of_hidden();
    eprintln!("rsct: {shown} timeout policies have been shown.");
    Ok(exit_code(all_went_well))
}

/// Runs `rsct timeout policy get`.
pub(super) fn get(args: &GetArgs) -> anyhow::Result<ExitCode> {
    let name = name::existing(&args.name)?;
    let namespaces = Namespaces::open(&args.netns)?;
    let event_loop = event_loop()?;
    let mut flows = None;
    let mut out = Vec::new();
    let visit = namespaces.visit(async |netns, socket| {
        let policy = match timeout::get(socket, name).await {
            Ok(policy) => [policy],
            Err(error) => return Err(refusal::of(socket, "getting", name, error).await),
        };
        let rules = &Rules::holding(&policy, &namespaces, netns, socket).await;
        let at = Shown {
            namespaces: &namespaces,
            netns,
            rules,
            flows: live(&mut flows, args.output, args.attach, &policy, netns, socket).await?,
        };
        args.output.policies(&mut out, &policy, &at);
        Ok(())
    });
    let all_went_well = event_loop.block_on(visit)?;
    print(&out)?;
    namespaces.tell_of_hidden();
    Ok(exit_code(all_went_well))
}

/// How many flows live under policies. The probe is attached for the first that there are; nfct's form has no place for
/// it.
async fn live(
    flows: &mut Option<Flows>,
    output: Output,
    attach: AttachArg,
    policies: &[Policy],
    netns: &Netns,
    socket: &mut Socket,
) -> Result<Option<Counted>, Error> {
    if output == Output::Nfct || policies.is_empty() {
        return Ok(None);
    }
    let flows = flows.get_or_insert_with(|| Flows::start(attach));
    flows.count(netns.inode as u32, socket).await
}
