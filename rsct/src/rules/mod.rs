//! The firewall's rules that attach timeout policies to flows: which commands make, show and take away one, and what
//! those commands print. [`System`] runs them; everything else here only builds and reads text.

mod iptables;
mod matching;
mod nft;
mod nft_list;
#[cfg(test)]
pub(crate) mod samples;
mod system;
mod words;

use std::fmt::{self, Display};

pub use matching::{MatchError, Matching, Ports, TypedMatch};
pub use nft::NftError;
pub use system::{System, ToolError};

use crate::family::Family;

/// What stands before the policy's name in the comment of every rule that rsct makes.
const MARK: &str = "rsct timeout ";

/// A program that changes the firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// For IPv4, whichever variant goes by this name.
    Iptables,
    /// For IPv6.
    Ip6tables,
    /// nftables.
    Nft,
}

impl Tool {
    /// The CT target's tool for a family.
    pub fn of_family(family: Family) -> Self {
        match family {
            Family::Ipv4 => Self::Iptables,
            Family::Ipv6 => Self::Ip6tables,
        }
    }

    /// The program's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Iptables => "iptables",
            Self::Ip6tables => "ip6tables",
            Self::Nft => "nft",
        }
    }

    /// The one family that it is for.
    pub fn family(self) -> Option<Family> {
        match self {
            Self::Iptables => Some(Family::Ipv4),
            Self::Ip6tables => Some(Family::Ipv6),
            Self::Nft => None,
        }
    }
}

/// Where a packet meets a rule. Both are passed before a flow's first packet is given its timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Packets that come in.
    Prerouting,
    /// Packets that this machine sends.
    Output,
}

impl Hook {
    /// Both, in the order that rules are made.
    pub const ALL: [Self; 2] = [Self::Prerouting, Self::Output];

    /// nft's word for it, and rsct's.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Output => "output",
        }
    }

    /// The chain that iptables has there.
    pub fn chain(self) -> &'static str {
        match self {
            Self::Prerouting => "PREROUTING",
            Self::Output => "OUTPUT",
        }
    }

    fn of_chain(chain: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|hook| hook.chain() == chain)
    }
}

/// A rule to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The policy that it attaches.
    pub policy: String,
    /// The policy's family.
    pub family: Family,
    /// Where.
    pub hook: Hook,
    /// To which flows.
    pub matching: Matching,
}

/// A rule that there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The program that shows it.
    pub tool: Tool,
    /// The table's family, where it is of one.
    pub family: Option<Family>,
    /// nft's table; iptables has the CT target in one alone.
    pub table: String,
    /// The chain that it is in.
    pub chain: String,
    /// The hook that the chain is called for; none of a chain of somebody's own.
    pub hook: Option<Hook>,
    /// The policy's name, as far as it is known.
    pub name: String,
    /// The policies that it may be, where the kernel shows the beginning of the name alone and several begin so.
    pub candidates: Vec<String>,
    /// Whether rsct made it: it has our comment.
    pub ours: bool,
    /// To which flows, where it says so in rsct's words alone.
    pub matching: Option<Matching>,
    /// As the program shows it.
    pub text: String,
    /// There may be more to the name than the kernel shows.
    cut: bool,
    /// By what the program finds it again: iptables' words behind `-A`, nft's handle.
    key: Vec<String>,
}

impl Listed {
    /// Whether the rule attaches this policy, or may: see [`Listed::candidates`].
    pub fn may_attach(&self, policy: &str) -> bool {
        self.name == policy || self.candidates.iter().any(|candidate| candidate == policy)
    }

    /// Whether the kernel hands a part of the name back alone: the text would not make the rule again.
    pub fn shows_a_part(&self) -> bool {
        self.tool != Tool::Nft && !self.key.contains(&self.name)
    }

    /// Completes a name that the kernel shows a part of alone, from the policies that there are: one that a rule attaches
    /// is among them, but for one that was deleted under it, which only some kernels allow.
    pub fn resolve<'a>(&mut self, policies: impl IntoIterator<Item = (&'a str, Family)>) {
        if !self.cut {
            return;
        }
        let possible = policies
            .into_iter()
            .filter(|(name, family)| name.starts_with(&self.name) && Some(*family) == self.family);
        self.candidates = possible.map(|(name, _)| name.to_owned()).collect();
        if let [only] = self.candidates.as_slice() {
            self.name.clone_from(only);
            self.candidates.clear();
        }
    }

    /// Whether it does what the rule would do, and is ours.
    pub fn is_already(&self, rule: &Rule) -> bool {
        self.ours
            && self.name == rule.policy
            && self.family == Some(rule.family)
            && self.hook == Some(rule.hook)
            && self.matching.as_ref() == Some(&rule.matching)
    }
}

/// A command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The program.
    pub tool: Tool,
    /// Its arguments.
    pub args: Vec<String>,
}

impl Display for Call {
    /// As it would be typed into a shell.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tool.name())?;
        self.args
            .iter()
            .try_for_each(|arg| write!(f, " {}", words::quoted(arg)))
    }
}

/// The rules with a timeout in what a program shows: `iptables -t raw -S`, or `nft -a list ruleset`.
pub fn parse(tool: Tool, shown: &str) -> Vec<Listed> {
    match tool {
        Tool::Nft => nft_list::Ruleset::parse(shown).rules,
        _ => iptables::parse(tool, shown),
    }
}

/// The comment of a rule that attaches this policy.
fn comment(policy: &str) -> String {
    format!("{MARK}{policy}")
}

/// The policy that a comment of ours names.
fn policy_of(comment: &str) -> Option<&str> {
    comment.strip_prefix(MARK).filter(|policy| !policy.is_empty())
}
