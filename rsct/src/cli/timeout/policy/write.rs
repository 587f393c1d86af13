//! `rsct timeout policy add` and `replace`.

use std::{ffi::OsString, process::ExitCode};

use anyhow::bail;
use clap::Args;

use super::{Output, Shown, name, refusal, rules::Rules};
use crate::{
    cli::{
        UsageError,
        namespaces::{Namespaces, NetnsArg},
        timeout::{
            assignments::{self, Assignment},
            exit_code, print, protocol,
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

/// Make a policy, and show it. States that are not named get the namespace's timeouts of this moment.
#[derive(Debug, Args)]
pub(super) struct AddArgs {
    #[command(flatten)]
    policy: TypedArgs,
}

/// Change a policy in place, and show it as it is then. States that are not named keep their timeouts, rules that use
/// it and flows that have it keep it.
#[derive(Debug, Args)]
pub(super) struct ReplaceArgs {
    #[command(flatten)]
    policy: TypedArgs,
}

#[derive(Debug, Args)]
struct TypedArgs {
    /// Its name, at most 31 bytes.
    name: OsString,
    /// The address family of the flows it is for: inet (or ipv4), inet6 (or ipv6).
    family: String,
    /// The protocol: tcp, udp, udplite, icmp, icmpv6, sctp, dccp, gre, or generic for all others.
    proto: String,
    /// A state, as `rsct timeout show` names it, and its seconds; or with a unit, such as 5m, 2h or 1d.
    #[arg(value_name = "STATE=SECS")]
    states: Vec<String>,
    /// How the policy looks.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    netns: NetnsArg,
}

/// What was typed, understood.
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
                "{}: the protocol runs over {} alone, and no flow of {} could have the policy",
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
                "no state is given: a policy needs one STATE=SECS at least; {} has {}",
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

    /// Does it in every namespace, and shows the policy as the kernel has it then.
    fn each(
        &self,
        typed: &Typed<'_>,
        doing: &str,
        mut write: impl AsyncFnMut(&mut Socket) -> anyhow::Result<()>,
    ) -> anyhow::Result<ExitCode> {
        let namespaces = Namespaces::open(&self.netns)?;
        let mut out = Vec::new();
        let visit = namespaces.visit(async |netns, socket| {
            typed.check_protocol(socket).await?;
            write(socket).await?;
            let policy = match timeout::get(socket, typed.name).await {
                Ok(policy) => [policy],
                Err(error) => return Err(refusal::of(socket, doing, typed.name, error).await),
            };
            let rules = &Rules::holding(&policy, &namespaces, netns, socket).await;
            let at = Shown {
                namespaces: &namespaces,
                netns,
                rules,
                flows: None,
            };
            self.output.policies(&mut out, &policy, &at);
            Ok(())
        });
        let visited = waiting::block_on(visit);
        // What was done is shown even where it could not be done in a namespace after it.
        print(&out)?;
        let all_went_well = visited?;
        namespaces.tell_of_hidden();
        Ok(exit_code(all_went_well))
    }
}

impl Typed<'_> {
    /// Checks that the kernel has a handler for the protocol: depending on its version it would take a policy for one
    /// that it has not.
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

    /// What was typed, and of the states that it doesn't name what there is.
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
        // The kernel would make one where there is none.
        let there = match timeout::get(socket, typed.name).await {
            Ok(there) => there,
            Err(error) => return Err(refusal::of(socket, "replacing", typed.name, error).await),
        };
        let of = (there.timeouts.l3proto, there.timeouts.l4proto);
        if of != (typed.family as u16, typed.protocol.number) {
            bail!(
                "replacing the timeout policy {}: it is for {} over {}, and the kernel changes a policy for no other; \
                 delete it and add another, or give it another name",
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
    fn what_is_not_named_stays() {
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
