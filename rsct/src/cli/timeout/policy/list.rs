//! `rsct timeout policy list` and `get`.

use std::{ffi::OsString, process::ExitCode};

use clap::Args;

use super::{Output, Shown, flows::Flows, name, refusal, rules::Rules};
use crate::{
    cli::{
        namespaces::{Namespaces, NetnsArg},
        probing::AttachArg,
        timeout::{exit_code, print},
    },
    kernel::netns::Netns,
    netlink::{
        Socket,
        timeout::{self, Policy},
    },
    plural, waiting,
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
    let mut showing = Showing::new(&namespaces, args.output, args.attach);
    let mut shown = 0;
    let visit = namespaces.visit(async |netns, socket| {
        let policies = timeout::list(socket).await.map_err(refusal::of_list)?;
        shown += policies.len();
        showing.policies(&policies, netns, socket).await
    });
    let all_went_well = waiting::block_on(visit)?;
    print(&showing.out)?;
    namespaces.tell_of_hidden();
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
    namespaces.tell_of_hidden();
    Ok(exit_code(all_went_well))
}

/// Policies on their way out, with who uses them.
struct Showing<'a> {
    namespaces: &'a Namespaces,
    output: Output,
    attach: AttachArg,
    /// Attached for the first policies that there are; nfct's form has no place for flows.
    flows: Option<Flows>,
    out: Vec<u8>,
}

impl<'a> Showing<'a> {
    fn new(namespaces: &'a Namespaces, output: Output, attach: AttachArg) -> Self {
        Self {
            namespaces,
            output,
            attach,
            flows: None,
            out: Vec::new(),
        }
    }

    async fn policies(
        &mut self,
        policies: &[Policy],
        netns: &Netns,
        socket: &mut Socket,
    ) -> anyhow::Result<()> {
        let flows = if self.output == Output::Nfct || policies.is_empty() {
            None
        } else {
            let flows = self.flows.get_or_insert_with(|| Flows::start(self.attach));
            flows.count(netns.inode as u32, socket).await?
        };
        let at = Shown {
            namespaces: self.namespaces,
            netns,
            rules: &Rules::holding(policies, self.namespaces, netns, socket).await,
            flows,
        };
        self.output.policies(&mut self.out, policies, &at);
        Ok(())
    }
}
