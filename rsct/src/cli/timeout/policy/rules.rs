//! How many rules hold each policy.
//!
//! The kernel's own count of what holds a policy (CTA_TIMEOUT_USE) can't tell. Measured: on Linux 6.12.95 and 6.18.15 each
//! rule counts once, and flows don't; on 6.1.192, 6.12.118 and 7.3.4, whose `struct nf_ct_timeout` has a refcnt, each
//! rule counts twice and each flow once. Nor do those refuse to delete a policy that a rule uses. So the rules are asked of the programs that made them.

use crate::{
    cli::{
        namespaces::Namespaces,
        timeout::place::{Place, family_of},
    },
    kernel::netns::Netns,
    netlink::{Socket, timeout::Policy},
    render::policies::uses,
    rules::{Listed, Tool},
};

/// The rules of a namespace that hold policies; none where no program shows them.
pub(super) struct Rules(Option<Vec<Listed>>);

impl Rules {
    /// Asks for them, if any of these policies is held at all.
    pub(super) async fn holding(
        policies: &[Policy],
        namespaces: &Namespaces,
        netns: &Netns,
        socket: &mut Socket,
    ) -> Self {
        if policies.iter().all(is_free) {
            return Self(Some(Vec::new()));
        }
        let place = Place::of(namespaces, netns, socket).await.ok();
        Self(place.and_then(|place| place.rules(None).ok()))
    }

    /// How many hold a policy, where that can be told.
    pub(super) fn count(&self, policy: &Policy) -> Option<usize> {
        if is_free(policy) {
            return Some(0);
        }
        let name = str::from_utf8(policy.name.as_deref()?).ok()?;
        let of_it = |rule: &&Listed| {
            // nftables keeps timeouts of its own, which hold no policy.
            rule.tool != Tool::Nft && rule.tool.family() == family_of(policy) && rule.may_attach(name)
        };
        let mut rules = self.0.as_ref()?.iter().filter(of_it);
        // Where the kernel shows a part of the name alone, a rule may be another policy's.
        let is_sure = rules.clone().all(|rule| rule.name == name);
        is_sure.then(|| rules.by_ref().count())
    }
}

fn is_free(policy: &Policy) -> bool {
    uses(policy) == Some(0)
}
