//! The policies of a network namespace, and the rules that attach them.

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

/// A network namespace whose rules are created, listed and deleted.
pub(super) struct PolicyRules {
    /// The policies.
    policies: Vec<Policy>,
    /// The programs that manage the rules.
    pub(super) system: System,
}

impl PolicyRules {
    /// Opens the selected namespace.
    pub(super) fn open(arg: &NetnsArg) -> anyhow::Result<Self> {
        let namespaces = Namespaces::open(arg)?;
        if namespaces.are_all() {
            let sentence = "--netns all: rules are created and deleted in one network namespace";
            return Err(UsageError(sentence.to_owned()).into());
        }
        let netns = namespaces
            .iter()
            .next()
            .context("no network namespace was found")?;
        waiting::block_on(async {
            let mut socket = namespaces.socket(netns)?;
            Self::of(&namespaces, netns, &mut socket).await
        })
    }

    /// One of several namespaces.
    pub(super) async fn of(
        namespaces: &Namespaces,
        netns: &Netns,
        socket: &mut Socket,
    ) -> anyhow::Result<Self> {
        let policies = timeout::list(socket).await.map_err(refusal::of_list)?;
        let system = System::find(namespaces.are_named().then_some(netns))
            .context("opening the network namespace for iptables and nft")?;
        if ![Tool::Iptables, Tool::Ip6tables, Tool::Nft]
            .into_iter()
            .any(|tool| system.has(tool))
        {
            bail!(
                "listing the rules that attach timeout policies: iptables, ip6tables and nft are not in PATH; install one \
                 of them (packages iptables and nftables)"
            );
        }
        Ok(Self { policies, system })
    }

    /// The policy with this name.
    pub(super) fn policy(&self, name: &str) -> anyhow::Result<&Policy> {
        let found = self
            .policies
            .iter()
            .find(|policy| policy.name.as_deref() == Some(name.as_bytes()));
        found.ok_or_else(|| {
            anyhow!(
                "there is no policy of this name; {}",
                refusal::names(&self.policies)
            )
        })
    }

    /// The rules that attach this policy, or any policy.
    ///
    /// Runs all programs, whichever policies exist: some kernels delete a policy that a rule still uses
    /// (nfnetlink_cttimeout.c of 6.1.191, 6.12.112 and 7.3, which count references differently). A program may fail if its
    /// family has no policy, as in a kernel without IPv6.
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

    /// The names that are UTF-8: rules cannot have others.
    fn names(&self) -> impl Iterator<Item = (&str, Family)> {
        self.policies.iter().filter_map(|policy| {
            let name = str::from_utf8(policy.name.as_deref()?).ok()?;
            Some((name, family_of(policy)?))
        })
    }
}

/// The address family of a policy.
pub(super) fn family_of(policy: &Policy) -> Option<Family> {
    Family::from_number(policy.timeouts.l3proto)
}

/// "1 rule", "2 rules".
pub(super) fn count(rules: usize) -> String {
    plural::count(rules, "rule", "rules")
}
