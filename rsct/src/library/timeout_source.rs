//! Sources of timeouts.

use std::time::Duration;

use crate::timeouts::{self, Setter};

/// The source of the timeout that a packet set.
#[derive(Clone, Copy, Debug)]
pub struct TimeoutSource<'a>(pub(super) timeouts::TimeoutSource<'a>);

impl<'a> TimeoutSource<'a> {
    /// The owner of the timeout: `defaults` of the namespace, a `policy`, an `nftables` object, a `lost_policy` (the record
    /// that identifies it was lost), `fixed` (packets do not refresh it), `netlink`, or `unknown` (records were lost).
    pub fn kind(&self) -> &'static str {
        match self.0.setter {
            Setter::Defaults => "defaults",
            Setter::Policy(_) => "policy",
            Setter::Nftables(_) => "nftables",
            Setter::LostPolicy => "lost_policy",
            Setter::Fixed => "fixed",
            Setter::Netlink => "netlink",
            Setter::Unknown => "unknown",
        }
    }

    /// The names of the policy or the nftables object: several if several have the same values.
    pub fn names(&self) -> &'a [String] {
        match self.0.setter {
            Setter::Policy(names) | Setter::Nftables(names) => names,
            _ => &[],
        }
    }

    /// The protocol's state whose timeout it is, such as `established`.
    pub fn state(&self) -> Option<&'static str> {
        self.0.governing.map(|governing| governing.state.name)
    }

    /// The sysctl with that timeout, if the namespace's defaults set it.
    pub fn sysctl(&self) -> Option<String> {
        let state = self
            .0
            .governing
            .filter(|_| self.0.setter == Setter::Defaults)?
            .state;
        state
            .sysctl
            .map(|name| format!("net.netfilter.nf_conntrack_{name}"))
    }

    /// The full value of that timeout, if it is known.
    pub fn value(&self) -> Option<Duration> {
        self.0.value_ms.map(Duration::from_millis)
    }
}
