//! `rsct timeout policy list` and `get`.

use std::{ffi::OsString, process::ExitCode};

use clap::Args;

use super::{PolicyFormat, Usage, flows::Flows, name, refusal, rules::Rules};
use crate::{
    cli::{
        namespaces::{Namespaces, NetnsArg},
        shared_args::{AttachArg, FormatArg},
        timeout::{exit_code, print},
    },
    kernel::netns::Netns,
    netlink::{
        Socket,
        timeout::{self, Policy},
    },
    plural, waiting,
};

/// List timeout policies with their timeouts, rules and flows
///
/// RULES counts the rules listed by iptables and ip6tables. USES is the kernel's own reference count: newer kernels count
/// each rule twice and each flow once. rsct counts the flows of each policy with an eBPF program.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct timeout policy list
  rsct timeout policy list --netns all -o json
  rsct timeout policy list -o nfct")]
pub(super) struct ListArgs {
    #[command(flatten)]
    output: FormatArg<PolicyFormat>,
    #[command(flatten)]
    attach: AttachArg,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Print a timeout policy with its timeouts, rules and flows
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct timeout policy get dns
  rsct timeout policy get dns -o json")]
pub(super) struct GetArgs {
    /// Name of the policy
    name: OsString,
    #[command(flatten)]
    output: FormatArg<PolicyFormat>,
    #[command(flatten)]
    attach: AttachArg,
    #[command(flatten)]
    netns: NetnsArg,
}

/// Runs `rsct timeout policy list`.
pub(super) fn list(args: &ListArgs) -> anyhow::Result<ExitCode> {
    let namespaces = Namespaces::open(&args.netns)?;
    let mut showing = Showing::new(&namespaces, args.output, args.attach);
    let mut shown = 0;
    let visit = namespaces.visit(async |netns, socket| {
        let policies = timeout::list(socket).await.map_err(refusal::of_list)?;
        shown += policies.len();
        showing.policies(&policies, netns, socket).await
    });
    let all_went_well = waiting::block_on(visit)?;
    print(&showing.out)?;
    namespaces.report_hidden();
    message!(
        "{} been shown.",
        plural::count(shown, "timeout policy has", "timeout policies have")
    );
    Ok(exit_code(all_went_well))
}

/// Runs `rsct timeout policy get`.
pub(super) fn get(args: &GetArgs) -> anyhow::Result<ExitCode> {
    let name = name::existing(&args.name)?;
    let namespaces = Namespaces::open(&args.netns)?;
    let mut showing = Showing::new(&namespaces, args.output, args.attach);
    let visit = namespaces.visit(async |netns, socket| match timeout::get(socket, name).await {
        Ok(policy) => showing.policies(&[policy], netns, socket).await,
        Err(error) => Err(refusal::of(socket, "getting", name, error).await),
    });
    let all_went_well = waiting::block_on(visit)?;
    print(&showing.out)?;
    namespaces.report_hidden();
    Ok(exit_code(all_went_well))
}

/// Prints policies and their usage.
struct Showing<'a> {
    namespaces: &'a Namespaces,
    output: FormatArg<PolicyFormat>,
    attach: AttachArg,
    /// Attached for the first namespace with a policy; nfct's format has no flows.
    flows: Option<Flows>,
    out: Vec<u8>,
}

impl<'a> Showing<'a> {
    fn new(namespaces: &'a Namespaces, output: FormatArg<PolicyFormat>, attach: AttachArg) -> Self {
        Self {
            namespaces,
            output,
            attach,
            flows: None,
            out: output.begin(),
        }
    }

    async fn policies(
        &mut self,
        policies: &[Policy],
        netns: &Netns,
        socket: &mut Socket,
    ) -> anyhow::Result<()> {
        let flows = if self.output.format == PolicyFormat::Nfct || policies.is_empty() {
            None
        } else {
            let flows = self.flows.get_or_insert_with(|| Flows::start(self.attach));
            flows.count(netns.inode as u32, socket).await?
        };
        let usage = Usage {
            namespaces: self.namespaces,
            netns,
            rules: &Rules::holding(policies, self.namespaces, netns, socket).await,
            flows,
        };
        self.output.policies(&mut self.out, policies, &usage);
        Ok(())
    }
}
