//! `rsct timeout policy add` and `replace`.

use std::{ffi::OsString, process::ExitCode};

use anyhow::bail;
use clap::Args;

use super::{PolicyFormat, Usage, name, refusal, rules::Rules};
use crate::{
    cli::{
        UsageError,
        namespaces::{Namespaces, NetnsArg},
        shared_args::FormatArg,
        timeout::{
            assignments::{self, Assignment, STATES_HELP},
            exit_code, print,
            protocol::{self, PROTOCOL_HELP},
        },
    },
    family::Family,
    netlink::{
        Socket,
        timeout::{self, Policy, Timeouts},
    },
    outside::shown,
    timeouts::Protocol,
    waiting,
};

/// Add a timeout policy
///
/// Prints the policy. States that are not given get the namespace's current timeouts.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct timeout policy add dns inet udp unreplied=5 replied=10
  rsct timeout policy add web inet6 tcp established=1h time_wait=30")]
pub(super) struct AddArgs {
    #[command(flatten)]
    policy: TypedArgs,
}

/// Change the timeouts of a policy in place
///
/// Prints the new policy. States that are not given keep their timeouts. Rules and flows keep the policy.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  rsct timeout policy replace dns inet udp replied=20
  rsct timeout policy replace web inet6 tcp time_wait=10 --netns blue")]
pub(super) struct ReplaceArgs {
    #[command(flatten)]
    policy: TypedArgs,
}

#[derive(Debug, Args)]
struct TypedArgs {
    /// Name of the policy, at most 31 bytes
    name: OsString,
    /// Address family of its flows: inet (or ipv4), inet6 (or ipv6)
    family: String,
    #[arg(help = PROTOCOL_HELP)]
    proto: String,
    #[arg(help = STATES_HELP, value_name = "STATE=SECS")]
    states: Vec<String>,
    #[command(flatten)]
    output: FormatArg<PolicyFormat>,
    #[command(flatten)]
    netns: NetnsArg,
}

/// The parsed arguments.
struct Typed<'a> {
    name: &'a [u8],
    family: Family,
    protocol: &'static Protocol,
    assignments: Vec<Assignment>,
}

impl TypedArgs {
    fn typed<'a>(&'a self, name: &'a [u8]) -> anyhow::Result<Typed<'a>> {
        let family = family(&self.family)?;
        let protocol = protocol::named(&self.proto)?;
        if let Some(only) = protocol.family()
            && only != family
        {
            return Err(UsageError(format!(
                "{}: the protocol runs only over {}, so no flow of {} could have the policy",
                protocol.name,
                only.name(),
                family.name()
            ))
            .into());
        }
        let assignments = assignments::parse(protocol, &self.states)?;
        if assignments.is_empty() {
            let names: Vec<&str> = protocol.states.iter().map(|state| state.name).collect();
            return Err(UsageError(format!(
                "no state is given: a policy needs at least one STATE=SECS; {} has {}",
                protocol.name,
                names.join(", ")
            ))
            .into());
        }
        Ok(Typed {
            name,
            family,
            protocol,
            assignments,
        })
    }

    /// Writes the policy in every namespace, and prints it as the kernel stored it.
    fn each(
        &self,
        typed: &Typed<'_>,
        doing: &str,
        mut write: impl AsyncFnMut(&mut Socket) -> anyhow::Result<()>,
    ) -> anyhow::Result<ExitCode> {
        let namespaces = Namespaces::open(&self.netns)?;
        let mut out = self.output.begin();
        let visit = namespaces.visit(async |netns, socket| {
            typed.check_protocol(socket).await?;
            write(socket).await?;
            let policy = match timeout::get(socket, typed.name).await {
                Ok(policy) => [policy],
                Err(error) => return Err(refusal::of(socket, doing, typed.name, error).await),
            };
            let rules = &Rules::holding(&policy, &namespaces, netns, socket).await;
            let usage = Usage {
                namespaces: &namespaces,
                netns,
                rules,
                flows: None,
            };
            self.output.policies(&mut out, &policy, &usage);
            Ok(())
        });
        let visited = waiting::block_on(visit);
        // Policies written before an error are printed.
        print(&out)?;
        let all_went_well = visited?;
        namespaces.report_hidden();
        Ok(exit_code(all_went_well))
    }
}

impl Typed<'_> {
    /// Checks that the kernel has a handler for the protocol: some versions accept a policy for one that they lack.
    async fn check_protocol(&self, socket: &mut Socket) -> anyhow::Result<()> {
        match timeout::defaults(socket, self.family as u16, self.protocol.number).await {
            Ok(_) => Ok(()),
            Err(error) if error.errno() == Some(libc::EOPNOTSUPP) => Err(protocol::missing(self.protocol)),
            Err(error) => Err(refusal::of_list(error)),
        }
    }

    fn timeouts(&self) -> Timeouts {
        let values = self.assignments.iter();
        Timeouts {
            l3proto: self.family as u16,
            l4proto: self.protocol.number,
            values: values
                .map(|(state, seconds)| (state.attribute, *seconds))
                .collect(),
        }
    }

    /// The given timeouts, and the policy's current ones for all other states.
    fn merged(&self, there: &Policy) -> Timeouts {
        let mut timeouts = self.timeouts();
        for value in &there.timeouts.values {
            if timeouts.seconds(value.0).is_none() {
                timeouts.values.push(*value);
            }
        }
        timeouts
    }
}

/// Runs `rsct timeout policy add`.
pub(super) fn add(args: &AddArgs) -> anyhow::Result<ExitCode> {
    let typed = args.policy.typed(name::new(&args.policy.name)?)?;
    args.policy.each(&typed, "adding", async |socket| {
        match timeout::create(socket, typed.name, &typed.timeouts()).await {
            Ok(()) => Ok(()),
            Err(error) => Err(refusal::of(socket, "adding", typed.name, error).await),
        }
    })
}

/// Runs `rsct timeout policy replace`.
pub(super) fn replace(args: &ReplaceArgs) -> anyhow::Result<ExitCode> {
    let typed = args.policy.typed(name::existing(&args.policy.name)?)?;
    args.policy.each(&typed, "replacing", async |socket| {
        // The kernel would create a policy that does not exist.
        let there = match timeout::get(socket, typed.name).await {
            Ok(there) => there,
            Err(error) => return Err(refusal::of(socket, "replacing", typed.name, error).await),
        };
        let of = (there.timeouts.l3proto, there.timeouts.l4proto);
        if of != (typed.family as u16, typed.protocol.number) {
            bail!(
                "replacing the timeout policy {}: it is for {} over {}, and the kernel cannot change that; delete it and \
                 add another, or give another name",
                shown(typed.name),
                Protocol::of_number(of.1).name,
                Family::from_number(of.0).map_or("another family", Family::name)
            );
        }
        match timeout::replace(socket, typed.name, &typed.merged(&there)).await {
            Ok(()) => Ok(()),
            Err(error) => Err(refusal::of(socket, "replacing", typed.name, error).await),
        }
    })
}

fn family(text: &str) -> Result<Family, UsageError> {
    match text {
        "inet" | "ipv4" => Ok(Family::Ipv4),
        "inet6" | "ipv6" => Ok(Family::Ipv6),
        _ => Err(UsageError(format!(
            "{text:?}: expected an address family, inet (or ipv4) or inet6 (or ipv6)"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_states_keep_their_timeouts() {
        let protocol = Protocol::named("udp").unwrap();
        let typed = Typed {
            name: b"a",
            family: Family::Ipv6,
            protocol,
            assignments: vec![(&protocol.states[1], 300)],
        };
        let there = Policy {
            timeouts: Timeouts {
                values: vec![(1, 5), (2, 6)],
                ..typed.timeouts()
            },
            ..Policy::default()
        };
        let merged = typed.merged(&there);
        assert_eq!(merged.values, [(2, 300), (1, 5)]);
        assert_eq!((merged.l3proto, merged.l4proto), (10, 17));
    }
}
