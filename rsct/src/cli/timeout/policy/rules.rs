//! Number of rules that use each policy, as listed by the programs that created them.
//!
//! The kernel's own reference count (CTA_TIMEOUT_USE) depends on the version. Measured: on Linux 6.12.95 and 6.18.15 each
//! rule counts once and flows do not; on 6.1.192, 6.12.118 and 7.3.4, whose `struct nf_ct_timeout` has a refcnt, each
//! rule counts twice and each flow once. Those kernels also delete a policy that a rule uses.

use crate::{
    cli::{
        namespaces::Namespaces,
        timeout::policy_rules::{PolicyRules, family_of},
    },
    kernel::netns::Netns,
    netlink::{Socket, timeout::Policy},
    render::policies::uses,
    rules::{Listed, Tool},
};

/// The rules of a namespace that use policies; none if no program lists them.
pub(super) struct Rules(Option<Vec<Listed>>);

impl Rules {
    /// Lists the rules, if any of these policies is in use.
    pub(super) async fn holding(
        policies: &[Policy],
        namespaces: &Namespaces,
        netns: &Netns,
        socket: &mut Socket,
    ) -> Self {
        if policies.iter().all(is_free) {
            return Self(Some(Vec::new()));
        }
        let scope = PolicyRules::of(namespaces, netns, socket).await.ok();
        Self(scope.and_then(|scope| scope.rules(None).ok()))
    }

    /// The number of rules that use a policy, if it is known.
    pub(super) fn count(&self, policy: &Policy) -> Option<usize> {
        if is_free(policy) {
            return Some(0);
        }
        let name = str::from_utf8(policy.name.as_deref()?).ok()?;
        let of_it = |rule: &&Listed| {
            // nftables has timeouts of its own, which use no policy.
            rule.tool != Tool::Nft && rule.tool.family() == family_of(policy) && rule.may_attach(name)
        };
        let mut rules = self.0.as_ref()?.iter().filter(of_it);
        // If the kernel returns only a part of the name, a rule may use another policy.
        let is_sure = rules.clone().all(|rule| rule.name == name);
        is_sure.then(|| rules.by_ref().count())
    }
}

fn is_free(policy: &Policy) -> bool {
    uses(policy) == Some(0)
}
