//! The firewall's rules that attach timeout policies to flows: commands to add, list and delete them, and
//! parsers of the commands' output. [`System`] runs the commands; all other code here only builds and parses
//! text.

mod iptables;
mod matching;
mod nft;
mod nft_list;
#[cfg(test)]
pub(crate) mod samples;
mod system;
mod words;

use std::fmt::{self, Display};

pub(crate) use matching::{Matching, TypedMatch};
pub(crate) use nft::NftError;
pub(crate) use system::System;

use crate::family::Family;

/// Prefix of the policy's name in the comment of every rule that rsct adds.
const MARK: &str = "rsct timeout ";
/// The nftables table of the objects that rsct adds.
const TABLE: &str = "rsct";

/// A program that changes the firewall.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// For IPv4, in the variant that has this name.
    Iptables,
    /// For IPv6.
    Ip6tables,
    /// nftables.
    Nft,
}

impl Tool {
    /// The tool with the CT target for a family.
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

    /// The only family that it supports, if any.
    pub fn family(self) -> Option<Family> {
        match self {
            Self::Iptables => Some(Family::Ipv4),
            Self::Ip6tables => Some(Family::Ipv6),
            Self::Nft => None,
        }
    }
}

/// The hook of a rule. Packets traverse both before a flow's first packet gets its timeouts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Received packets.
    Prerouting,
    /// Packets that this machine sends.
    Output,
}

impl Hook {
    /// Both, in the order in which rules are added.
    pub const ALL: [Self; 2] = [Self::Prerouting, Self::Output];

    /// Its name in nft and rsct.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prerouting => "prerouting",
            Self::Output => "output",
        }
    }

    /// iptables' chain at this hook.
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

/// A rule to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The policy that it attaches.
    pub policy: String,
    /// The policy's family.
    pub family: Family,
    /// The hook.
    pub hook: Hook,
    /// The matching flows.
    pub matching: Matching,
}

/// An existing rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The program that lists it.
    pub tool: Tool,
    /// The table's family, if it has a single one.
    pub family: Option<Family>,
    /// nft's table; the CT target is possible in only one table of iptables.
    pub table: String,
    /// Its chain.
    pub chain: String,
    /// The chain's hook; `None` for user-defined chains without a hook.
    pub hook: Option<Hook>,
    /// The policy's name, as far as the kernel shows it.
    pub name: String,
    /// Possible policies, if the kernel shows only the beginning of the name and several policies begin with
    /// it.
    pub candidates: Vec<String>,
    /// True if it has rsct's comment, so rsct added it.
    pub ours: bool,
    /// The matching flows, if rsct's options can express the whole rule.
    pub matching: Option<Matching>,
    /// The rule as the program lists it.
    pub text: String,
    /// True if the name may be longer than the kernel shows.
    cut: bool,
    /// The program's key for the rule: iptables' words after `-A`, or nft's handle.
    key: Vec<String>,
}

impl Listed {
    /// Returns whether the rule attaches this policy, or may: see [`Listed::candidates`].
    pub fn may_attach(&self, policy: &str) -> bool {
        self.name == policy || self.candidates.iter().any(|candidate| candidate == policy)
    }

    /// Returns whether the kernel shows only the beginning of the name: adding the rule again from the text
    /// would fail.
    pub fn shows_a_part(&self) -> bool {
        self.tool != Tool::Nft && !self.key.contains(&self.name)
    }

    /// Completes a cut name from the existing policies: one that a rule attaches is among them, unless it was
    /// deleted despite the rule, which only some kernels allow.
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

    /// Returns whether it has the same effect as `rule`, and rsct added it.
    pub fn is_already(&self, rule: &Rule) -> bool {
        self.ours
            && self.name == rule.policy
            && self.family == Some(rule.family)
            && self.hook == Some(rule.hook)
            && self.matching.as_ref() == Some(&rule.matching)
    }
}

/// A command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    /// The program.
    pub tool: Tool,
    /// Its arguments.
    pub args: Vec<String>,
}

impl Display for Call {
    /// Prints the command in shell syntax.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.tool.name())?;
        self.args
            .iter()
            .try_for_each(|arg| write!(f, " {}", words::quoted(arg)))
    }
}

/// The rules with a timeout in a program's output: `iptables -t raw -S`, or `nft -a list ruleset`.
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

/// The policy in one of rsct's comments.
fn policy_of(comment: &str) -> Option<&str> {
    comment.strip_prefix(MARK).filter(|policy| !policy.is_empty())
}
