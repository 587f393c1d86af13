//! Rules for nftables, which cannot attach ctnetlink's policies: rsct copies a policy's name and values into
//! a `ct timeout` object in its own table.
//!
//! Each change is one transaction: nft applies all of it or nothing.

use std::fmt::Write as _;

use thiserror::Error;

use super::{
    Call, Hook, Listed, Rule, TABLE, Tool, comment,
    matching::{Matching, Ports, protocol_name, text_of},
    nft_list::Ruleset,
};
use crate::{family::Family, names::proto, netlink::timeout::Timeouts, timeouts::Protocol};

/// `ct timeout` needs an unconfirmed entry, which exists after conntrack's hook (-200); directly after it,
/// addresses are still those before NAT (-100), as in iptables' rules.
const PRIORITY: i32 = -199;

/// A policy's values that nft supports: it has names for all of a protocol's states except TCP's syn_sent2.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Copied {
    /// Each state's name in nft, and its seconds.
    pub(super) values: Vec<(&'static str, u32)>,
}

/// nft cannot attach a policy.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum NftError {
    /// nft has timeouts for only two protocols.
    #[error(
        "nftables supports timeouts only for tcp and udp, and the policy is for {protocol}; install \
         iptables, whose CT target accepts every policy"
    )]
    Protocol {
        /// The policy's protocol.
        protocol: &'static str,
    },
    /// nft does not accept the name.
    #[error(
        "nftables accepts only policy names that start with a letter and contain letters, digits and . _ - \
         /; rename the policy, or install iptables, whose CT target accepts every name"
    )]
    Name,
    /// An earlier attach added the object with other values.
    #[error(
        "nftables already has timeouts with this name and other values, from an earlier attach \
         ({existing}); run `rsct timeout detach` first"
    )]
    OtherValues {
        /// The existing values.
        existing: String,
    },
}

impl Copied {
    /// The values of a policy that nft supports.
    pub(super) fn of(timeouts: &Timeouts) -> Result<Self, NftError> {
        let protocol = Protocol::of_number(timeouts.l4proto);
        let word = |state: &'static str| match (timeouts.l4proto, state) {
            (proto::TCP, "syn_sent2") => None,
            (proto::TCP, "unacknowledged") => Some("unack"),
            _ => Some(state),
        };
        if ![proto::TCP, proto::UDP].contains(&timeouts.l4proto) {
            return Err(NftError::Protocol {
                protocol: protocol.name,
            });
        }
        let mut copied = Self::default();
        for (attribute, seconds) in &timeouts.values {
            // nft does not know the states of newer kernels either.
            if let Some(state) = protocol.state_of_attribute(*attribute)
                && let Some(word) = word(state.name)
            {
                copied.values.push((word, *seconds));
            }
        }
        Ok(copied)
    }

    /// The values in nft's syntax.
    fn text(&self) -> String {
        let values: Vec<String> = self
            .values
            .iter()
            .map(|(word, seconds)| format!("{word} : {seconds}"))
            .collect();
        values.join(", ")
    }

    /// Returns whether nft's output `listed` has these values; nft does not print values that are its own
    /// defaults.
    fn equals(&self, listed: &[(String, u32)]) -> bool {
        self.values.iter().all(
            |(word, seconds)| match listed.iter().find(|(name, _)| name == word) {
                Some((_, value)) => value == seconds,
                None => defaults(word).contains(seconds),
            },
        )
    }
}

/// nft's default for a state, in all its versions.
fn defaults(word: &str) -> &'static [u32] {
    match word {
        "close" => &[10],
        "unreplied" | "last_ack" => &[30],
        "syn_recv" | "close_wait" => &[60],
        "syn_sent" | "fin_wait" | "time_wait" => &[120],
        "replied" => &[120, 180],
        "retrans" | "unack" => &[300],
        "established" => &[432_000],
        _ => &[],
    }
}

/// The command that lists everything, with the handles that a deletion needs.
pub(super) fn list() -> Call {
    Call {
        tool: Tool::Nft,
        args: ["-a", "list", "ruleset"].map(str::to_owned).to_vec(),
    }
}

/// The command that adds these rules, and the objects that they need.
pub(super) fn add(rules: &[Rule], copied: &Copied, ruleset: &Ruleset) -> Result<Call, NftError> {
    let mut script = String::new();
    for rule in rules {
        let Rule { policy, hook, .. } = rule;
        check(rule)?;
        let family = family_word(rule.family);
        if script.is_empty() {
            let protocol = protocol_name(rule.matching.proto);
            let existing = ruleset.object(family, TABLE, policy);
            if let Some(existing) = existing
                && !(existing.protocol == protocol && copied.equals(&existing.values))
            {
                return Err(NftError::OtherValues {
                    existing: existing.to_string(),
                });
            }
            // Writing to a String cannot fail.
            let _ = write!(
                script,
                "add table {family} {TABLE}; add ct timeout {family} {TABLE} {policy} {{ protocol {protocol}; policy = {{ \
                 {} }}; }}",
                copied.text()
            );
        }
        let hook = hook.name();
        let _ = write!(
            script,
            "; add chain {family} {TABLE} {hook} {{ type filter hook {hook} priority {PRIORITY}; }}; add rule {family} \
             {TABLE} {hook} {} ct timeout set \"{policy}\" comment \"{}\"",
            conditions(rule.family, &rule.matching),
            comment(policy)
        );
    }
    Ok(transaction(script))
}

/// The command that deletes rules that rsct added, and the objects that no other rule needs.
pub(super) fn delete(rules: &[&Listed], ruleset: &Ruleset) -> Call {
    let mut script = Vec::new();
    for rule in rules {
        let family = rule.family.map_or("inet", family_word);
        let handle = rule.key.join(" ");
        script.push(format!(
            "delete rule {family} {} {} handle {handle}",
            rule.table, rule.chain
        ));
    }
    let is_deleted = |listed: &Listed| rules.contains(&listed);
    for family in [Family::Ipv4, Family::Ipv6] {
        if !rules.iter().any(|rule| rule.family == Some(family)) {
            continue;
        }
        let word = family_word(family);
        let Some(table) = ruleset.table(word, TABLE) else {
            continue;
        };
        let is_kept =
            |listed: &&Listed| listed.family == Some(family) && listed.table == TABLE && !is_deleted(listed);
        let kept: Vec<&Listed> = ruleset.rules.iter().filter(is_kept).collect();
        let mut names: Vec<&str> = rules
            .iter()
            .filter(|rule| rule.family == Some(family))
            .map(|rule| rule.name.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        names.retain(|name| {
            kept.iter().all(|rule| rule.name != *name) && ruleset.object(word, TABLE, name).is_some()
        });
        let deleted_in = |chain: &str| {
            rules
                .iter()
                .filter(|rule| rule.family == Some(family) && rule.chain == chain)
                .count()
        };
        let empty: Vec<&str> = table
            .chains
            .iter()
            .filter(|chain| Hook::ALL.iter().any(|hook| hook.name() == chain.name))
            .filter(|chain| chain.rules == deleted_in(&chain.name))
            .map(|chain| chain.name.as_str())
            .collect();
        for name in &names {
            script.push(format!("delete ct timeout {word} {TABLE} {name}"));
        }
        for chain in &empty {
            script.push(format!("delete chain {word} {TABLE} {chain}"));
        }
        if !table.has_more && names.len() == table.objects.len() && empty.len() == table.chains.len() {
            script.push(format!("delete table {word} {TABLE}"));
        }
    }
    transaction(script.join("; "))
}

fn transaction(script: String) -> Call {
    Call {
        tool: Tool::Nft,
        args: vec![script],
    }
}

/// Checks a name first, because nft's own error would be unclear.
fn check(rule: &Rule) -> Result<(), NftError> {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let first = |c: char| c.is_ascii_alphabetic();
    if rule.policy.starts_with(first) && rule.policy.chars().all(is_valid) {
        Ok(())
    } else {
        Err(NftError::Name)
    }
}

/// A family's name in nft.
pub(super) fn family_word(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "ip",
        Family::Ipv6 => "ip6",
    }
}

/// The match in nft's syntax.
fn conditions(family: Family, matching: &Matching) -> String {
    let protocol = protocol_name(matching.proto);
    let address = family_word(family);
    let mut conditions = Vec::new();
    let interface = |name: &str| match name.strip_suffix('+') {
        Some(start) => format!("{start}*"),
        None => name.to_owned(),
    };
    if let Some(name) = &matching.in_iface {
        conditions.push(format!("iifname \"{}\"", interface(name)));
    }
    if let Some(name) = &matching.out_iface {
        conditions.push(format!("oifname \"{}\"", interface(name)));
    }
    if let Some(prefix) = matching.src {
        conditions.push(format!("{address} saddr {}", text_of(prefix)));
    }
    if let Some(prefix) = matching.dst {
        conditions.push(format!("{address} daddr {}", text_of(prefix)));
    }
    let ports = [("sport", matching.sport), ("dport", matching.dport)];
    let mut has_ports = false;
    for (word, ports) in ports {
        if let Some(ports) = ports {
            conditions.push(format!("{protocol} {word} {}", Ports::text(ports, '-')));
            has_ports = true;
        }
    }
    if !has_ports {
        conditions.push(format!("meta l4proto {protocol}"));
    }
    conditions.join(" ")
}
