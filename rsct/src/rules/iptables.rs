//! Rules with the CT target, in the syntax of iptables and ip6tables.

use super::{
    Call, Hook, Listed, Rule, Tool, comment,
    matching::{Matching, Parts, Ports, protocol_name, text_of},
    policy_of, words,
};
use crate::{
    filter::{protocol, values::prefix},
    names::proto,
};

/// Length to which kernels before a fix of 2026 cut a policy's name in the rules that they return
/// (net/netfilter/xt_CT.c took `usersize` from the older `struct xt_ct_target_info`, which ends there).
const SHOWN_BYTES: usize = 4;

/// The only table that accepts the target.
const TABLE: &str = "raw";
/// First arguments of every command: wait at most 5 seconds for the lock on rule changes.
const COMMON_ARGS: [&str; 4] = ["-w", "5", "-t", TABLE];

/// The command that lists every rule.
pub(super) fn list(tool: Tool) -> Call {
    call(tool, ["-S".to_owned()])
}

/// The command that prints the version and variant.
pub(super) fn version(tool: Tool) -> Call {
    Call {
        tool,
        args: vec!["-V".to_owned()],
    }
}

/// Returns whether this is the output of the legacy variant, which reads a whole table, changes it and writes
/// it back: a policy's name that the kernel cut is lost then, and the kernel refuses the table. Versions
/// before 1.8 are this variant and print none.
pub(super) fn is_legacy(version: &str) -> bool {
    !version.contains("(nf_tables)")
}

/// The command that adds a rule.
pub(super) fn add(rule: &Rule) -> Call {
    let Rule {
        policy,
        family,
        hook,
        matching,
    } = rule;
    let mut args = vec!["-A".to_owned(), hook.chain().to_owned()];
    let mut put = |option: &str, value: Option<String>| {
        if let Some(value) = value {
            args.extend([option.to_owned(), value]);
        }
    };
    put("-p", Some(protocol_name(matching.proto)));
    put("-s", matching.src.map(text_of));
    put("-d", matching.dst.map(text_of));
    put("-i", matching.in_iface.clone());
    put("-o", matching.out_iface.clone());
    let ports = [("sport", matching.sport), ("dport", matching.dport)];
    for (option, ports) in ports {
        let Some(ports) = ports.map(|ports| ports.text(':')) else {
            continue;
        };
        if matching.proto == proto::UDPLITE {
            // iptables has no port match for UDP-Lite.
            put("-m", Some("multiport".to_owned()));
            put(&format!("--{option}s"), Some(ports));
        } else {
            put(&format!("--{option}"), Some(ports));
        }
    }
    put("-m", Some("comment".to_owned()));
    put("--comment", Some(comment(policy)));
    put("-j", Some("CT".to_owned()));
    put("--timeout", Some(policy.clone()));
    call(Tool::of_family(*family), args)
}

/// The command that deletes a rule. It contains the listed rule itself and not its number, which may be
/// another rule's by then.
pub(super) fn delete(listed: &Listed) -> Call {
    let spec = std::iter::once("-D".to_owned()).chain(listed.key.iter().cloned());
    call(listed.tool, spec)
}

fn call(tool: Tool, args: impl IntoIterator<Item = String>) -> Call {
    Call {
        tool,
        args: COMMON_ARGS.map(str::to_owned).into_iter().chain(args).collect(),
    }
}

/// The rules with a timeout in the output of `-S`.
pub(super) fn parse(tool: Tool, output: &str) -> Vec<Listed> {
    let rules = || {
        let lines = output.lines().filter(|line| line.starts_with("-A "));
        lines.map(|line| (line, words::of_iptables(&line["-A ".len()..])))
    };
    // A kernel that shows a longer name for one rule cuts none.
    let cuts =
        rules().all(|(_, key)| last_value(&key, "--timeout").is_none_or(|name| name.len() <= SHOWN_BYTES));
    rules()
        .filter_map(|(line, key)| rule(tool, line, key, cuts))
        .collect()
}

/// The word after the last occurrence of an option: the target's options follow all others.
fn last_value<'a>(key: &'a [String], option: &str) -> Option<&'a String> {
    let at = key.iter().rposition(|word| word == option)?;
    key.get(at + 1)
}

fn rule(tool: Tool, line: &str, key: Vec<String>, cuts: bool) -> Option<Listed> {
    if last_value(&key, "-j").is_none_or(|target| target != "CT") {
        return None;
    }
    let name = last_value(&key, "--timeout")?;
    let chain = key.first()?.clone();
    let ours = last_value(&key, "--comment")
        .and_then(|comment| policy_of(comment))
        .filter(|policy| policy == name || name.len() == SHOWN_BYTES && policy.starts_with(name.as_str()));
    Some(Listed {
        tool,
        family: tool.family(),
        table: TABLE.to_owned(),
        hook: Hook::of_chain(&chain),
        name: ours.unwrap_or(name).to_owned(),
        ours: ours.is_some(),
        matching: matching(&key[1..]),
        cut: cuts && ours.is_none() && name.len() == SHOWN_BYTES,
        candidates: Vec::new(),
        text: line.to_owned(),
        chain,
        key,
    })
}

/// The flows matched by the words after the chain; `None` if any of them is not one that [`add`] writes.
fn matching(words: &[String]) -> Option<Matching> {
    let mut parts = Parts::default();
    let mut words = words.iter();
    while let Some(option) = words.next() {
        let value = words.next()?;
        match option.as_str() {
            "-p" => parts.proto = Some(protocol::parse(value)?),
            "-s" => parts.src = Some(prefix(value)?),
            "-d" => parts.dst = Some(prefix(value)?),
            "-i" => parts.in_iface = Some(value.clone()),
            "-o" => parts.out_iface = Some(value.clone()),
            "--sport" | "--sports" => parts.sport = Some(Ports::parse(value)?),
            "--dport" | "--dports" => parts.dport = Some(Ports::parse(value)?),
            // An option's name identifies its match, so the match's name is not needed.
            "-m" | "--comment" => {}
            "-j" if value == "CT" => {}
            "--timeout" => {}
            _ => return None,
        }
    }
    parts.matching()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        family::Family,
        rules::{TypedMatch, samples::IPTABLES},
    };

    #[test]
    fn rules_with_timeouts_are_found() {
        let rules = parse(Tool::Iptables, IPTABLES);
        let found: Vec<(&str, &str, bool)> = rules
            .iter()
            .map(|rule| (rule.chain.as_str(), rule.name.as_str(), rule.ours))
            .collect();
        assert_eq!(
            found,
            [
                ("PREROUTING", "pi", true),
                ("PREROUTING", "pg", false),
                ("PREROUTING", "psct", false),
                ("mine", "pu", false),
                ("OUTPUT", r#""x\y" 'hi"#, true),
                ("OUTPUT", "udp-policy1", true),
                ("OUTPUT", "p-in", false),
            ]
        );
        let matches: Vec<Option<String>> = rules
            .iter()
            .map(|rule| rule.matching.as_ref().map(ToString::to_string))
            .collect();
        assert_eq!(matches[0].as_deref(), Some("--proto icmp"));
        assert_eq!(
            matches[2].as_deref(),
            Some("--proto sctp --src 10.0.0.0/8 --dport 5:7")
        );
        assert_eq!(
            (&matches[3], &matches[4]),
            (&None, &None),
            "they have more conditions"
        );
        assert_eq!(
            matches[6].as_deref(),
            Some("--proto udplite --sport 8 --dport 5:7")
        );
        let text = IPTABLES.lines().nth(7).unwrap();
        assert_eq!(rules[4].text, text);
    }

    #[test]
    fn a_name_that_was_cut_is_found_among_the_policies() {
        let mut rules = parse(Tool::Iptables, IPTABLES);
        let policies = ["psctp", "pu6", "p-inet", "p-indeed"].map(|name| (name, Family::Ipv4));
        rules.iter_mut().for_each(|rule| rule.resolve(policies));
        assert!(rules[2].may_attach("psctp") && !rules[2].may_attach("psct"));
        assert!(!rules[3].may_attach("pu6") && rules[3].may_attach("pu"));
        assert!(
            !rules[5].may_attach("udp-policy2"),
            "the comment has the whole name"
        );
        assert!(rules[6].may_attach("p-inet") && rules[6].may_attach("p-indeed"));
        let whole = IPTABLES.to_owned() + "-A OUTPUT -p udp -j CT --timeout longer\n";
        let mut rules = parse(Tool::Iptables, &whole);
        rules.iter_mut().for_each(|rule| rule.resolve(policies));
        assert!(!rules[2].may_attach("psctp"), "this kernel cuts no name");
    }

    #[test]
    fn a_rule_is_deleted_as_listed() {
        let rules = parse(Tool::Iptables, IPTABLES);
        assert_eq!(
            delete(&rules[5]).to_string(),
            "iptables -w 5 -t raw -D OUTPUT -p udp -m comment --comment 'rsct timeout udp-policy1' -j CT --timeout udp-"
        );
    }

    #[test]
    fn a_rule_ends_in_its_timeout() {
        let rule = rule_of(
            TypedMatch {
                dst: Some("fe80::/10"),
                dport: Some("5:7"),
                ..TypedMatch::default()
            },
            Family::Ipv6,
            proto::UDP,
        );
        assert_eq!(
            add(&rule).to_string(),
            "ip6tables -w 5 -t raw -A OUTPUT -p udp -d fe80::/10 --dport 5:7 -m comment --comment 'rsct timeout p' -j \
             CT --timeout p"
        );
    }

    #[test]
    fn the_variant_is_in_the_version() {
        assert!(!is_legacy("iptables v1.8.9 (nf_tables)\n"));
        assert!(is_legacy("iptables v1.8.9 (legacy)\n"));
        assert!(is_legacy("iptables v1.6.2\n"));
    }

    fn rule_of(typed: TypedMatch<'_>, family: Family, l4proto: u8) -> Rule {
        Rule {
            policy: "p".to_owned(),
            family,
            hook: Hook::Output,
            matching: typed.matching(family, l4proto).unwrap(),
        }
    }

    proptest! {
        /// iptables may list the options in another order: the parsed rule must still be equal.
        #[test]
        fn added_rules_are_found(
            protocol in prop::sample::select(vec![proto::TCP, proto::UDP, proto::UDPLITE, proto::SCTP]),
            src in prop::option::of((any::<u32>(), 0u8..=32)),
            sport in prop::option::of((any::<u16>(), any::<u16>())),
            dport in prop::option::of(any::<u16>()),
            out in prop::option::of("[a-z][a-z0-9.]{0,13}[+]?"),
        ) {
            let src = src.map(|(addr, bits)| format!("{}/{bits}", std::net::Ipv4Addr::from(addr)));
            let sport = sport.map(|(a, b)| format!("{}:{}", a.min(b), a.max(b)));
            let dport = dport.map(|port| port.to_string());
            let typed = TypedMatch {
                src: src.as_deref(),
                sport: sport.as_deref(),
                dport: dport.as_deref(),
                out_iface: out.as_deref(),
                ..TypedMatch::default()
            };
            let rule = rule_of(typed, Family::Ipv4, protocol);
            let added = add(&rule).args;
            let line: Vec<String> = added[COMMON_ARGS.len()..].iter().map(|word| {
                if word.contains(' ') { format!("\"{word}\"") } else { word.clone() }
            }).collect();
            let found = parse(Tool::Iptables, &line.join(" "));
            prop_assert_eq!(found.len(), 1);
            prop_assert!(found[0].is_already(&rule), "{:?}", found[0]);
        }

        #[test]
        fn any_output_is_read(output in "(-A [ -~]{0,60}\n|.*\n){0,5}") {
            parse(Tool::Ip6tables, &output);
        }
    }
}
