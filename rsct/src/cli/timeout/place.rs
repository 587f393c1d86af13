//! A network namespace's policies, and the programs whose rules attach them.

use anyhow::{Context as _, anyhow, bail};

use crate::{
    cli::{
        UsageError,
        namespaces::{Namespaces, NetnsArg, event_loop},
    },
    family::Family,
    kernel::netns::Netns,
    netlink::{
        Error, Socket,
        timeout::{self, Policy},
    },
    rules::{Listed, System, Tool},
};

/// Where rules are made, shown and taken away.
pub(super) struct Place {
    /// The policies.
    policies: Vec<Policy>,
    /// The programs.
    pub(super) system: System,
}

impl Place {
    /// The one namespace that was asked for.
    pub(super) fn open(arg: &NetnsArg) -> anyhow::Result<Self> {
        let namespaces = Namespaces::open(arg)?;
        if namespaces.are_all() {
            let sentence = "rules are made and taken away in one network namespace, not in all";
            return Err(UsageError(sentence.to_owned()).into());
        }
        let netns = namespaces
            .iter()
            .next()
            .context("there is no network namespace")?;
        event_loop()?.block_on(async {
            let mut socket = namespaces.socket(netns)?;
            Self::of(&namespaces, netns, &mut socket).await
        })
    }

    /// One of several.
    pub(super) async fn of(
        namespaces: &Namespaces,
        netns: &Netns,
        socket: &mut Socket,
    ) -> anyhow::Result<Self> {
        let policies = timeout::list(socket).await.map_err(without_cttimeout)?;
        let system = System::find(namespaces.are_named().then_some(netns))
            .context("sharing a network namespace with the programs to be run there")?;
        if ![Tool::Iptables, Tool::Ip6tables, Tool::Nft]
            .into_iter()
            .any(|tool| system.has(tool))
        {
            bail!(
                "looking for the rules that attach timeout policies: there is no iptables, ip6tables or nft in PATH; \
                 install one of them (the packages iptables and nftables have them)"
            );
        }
        Ok(Self { policies, system })
    }

    /// The policy of this name.
    pub(super) fn policy(&self, name: &str) -> anyhow::Result<&Policy> {
        let found = self.policies.iter().find(|policy| is_called(policy, name));
        found.ok_or_else(|| {
            let there: Vec<_> = self.names().map(|(name, _)| name).collect();
            if there.is_empty() {
                anyhow!("there is no such policy, and no other; `rsct timeout policy add` makes one")
            } else {
                anyhow!("there is no such policy; there are: {}", there.join(", "))
            }
        })
    }

    /// Every rule that attaches a policy; of one alone, or of all.
    ///
    /// A rule of iptables keeps its policy from being deleted: where there is none of a family, its tool need not be asked.
    pub(super) fn rules(&self, policy: Option<&str>) -> anyhow::Result<Vec<Listed>> {
        let wanted = |name: &str| policy.is_none_or(|wanted| name == wanted);
        let has = |family: Family| {
            self.policies.iter().any(|policy| {
                family_of(policy) == Some(family)
                    && wanted(&String::from_utf8_lossy(
                        policy.name.as_deref().unwrap_or_default(),
                    ))
            })
        };
        let mut rules = Vec::new();
        for tool in [Tool::Iptables, Tool::Ip6tables, Tool::Nft] {
            if tool.family().is_none_or(has) && self.system.has(tool) {
                rules.append(&mut self.system.list(tool)?);
            }
        }
        rules.iter_mut().for_each(|rule| rule.resolve(self.names()));
        rules.retain(|rule| policy.is_none_or(|policy| rule.may_attach(policy)));
        Ok(rules)
    }

    /// The names that are text, which is what rules can name.
    fn names(&self) -> impl Iterator<Item = (&str, Family)> {
        self.policies.iter().filter_map(|policy| {
            let name = str::from_utf8(policy.name.as_deref()?).ok()?;
            Some((name, family_of(policy)?))
        })
    }
}

/// The family that a policy is for.
pub(super) fn family_of(policy: &Policy) -> Option<Family> {
    Family::from_number(policy.timeouts.l3proto)
}

fn is_called(policy: &Policy, name: &str) -> bool {
    policy.name.as_deref() == Some(name.as_bytes())
}

/// Says that the kernel has no policies, where its answer means that.
fn without_cttimeout(error: Error) -> anyhow::Error {
    match error.errno() {
        Some(libc::EINVAL | libc::EOPNOTSUPP) => anyhow!(
            "listing the timeout policies: this kernel has none, and couldn't load what makes them; run \
             `modprobe nfnetlink_cttimeout`, or use a kernel built with CONFIG_NF_CONNTRACK_TIMEOUT"
        ),
        _ => error.into(),
    }
}

/// "1 rule", "2 rules".
pub(super) fn count(rules: usize) -> String {
    match rules {
        1 => "1 rule".to_owned(),
        n => format!("{n} rules"),
    }
}
