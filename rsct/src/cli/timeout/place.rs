//! A network namespace's policies, and the programs whose rules attach them.

use anyhow::{Context as _, anyhow, bail};

use super::policy::refusal;
use crate::{
    cli::{
        UsageError,
        namespaces::{Namespaces, NetnsArg},
    },
    family::Family,
    kernel::netns::Netns,
    netlink::{
        Socket,
        timeout::{self, Policy},
    },
    plural,
    rules::{Listed, System, Tool},
    waiting,
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
        waiting::block_on(async {
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
        let policies = timeout::list(socket).await.map_err(refusal::of_list)?;
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
        let found = self
            .policies
            .iter()
            .find(|policy| policy.name.as_deref() == Some(name.as_bytes()));
        found.ok_or_else(|| anyhow!("there is none of this name; {}", refusal::names(&self.policies)))
    }

    /// Every rule that attaches a policy; of one alone, or of all.
    ///
    /// Some kernels let a policy be deleted that a rule still has (nfnetlink_cttimeout.c of 6.1.191, 6.12.112 and 7.3, which
    /// count otherwise): all programs are asked, whichever policies there are. But where a family has none, its program
    /// may well not work at all, as in a kernel without IPv6.
    pub(super) fn rules(&self, policy: Option<&str>) -> anyhow::Result<Vec<Listed>> {
        let has = |family: Family| {
            self.policies
                .iter()
                .any(|policy| family_of(policy) == Some(family))
        };
        let mut rules = Vec::new();
        for tool in [Tool::Iptables, Tool::Ip6tables, Tool::Nft] {
            if !self.system.has(tool) {
                continue;
            }
            match self.system.list(tool) {
                Ok(mut listed) => rules.append(&mut listed),
                Err(_) if tool.family().is_some_and(|family| !has(family)) => {}
                Err(error) => return Err(error.into()),
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

/// "1 rule", "2 rules".
pub(super) fn count(rules: usize) -> String {
    plural::count(rules, "rule", "rules")
}
