//! Parser of `nft -a list ruleset`. It reads the text and not the JSON: nft can be built without JSON, and
//! users know their rules as text.

use std::fmt::{self, Display};

use super::{
    Hook, Listed, TABLE, Tool, comment,
    matching::{Matching, Parts, Ports},
    words::{self, Word},
};
use crate::{
    family::Family,
    filter::{protocol, values::prefix},
};

/// The rules with a timeout, and all tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ruleset {
    /// Every rule with `ct timeout set`.
    pub(super) rules: Vec<Listed>,
    tables: Vec<Table>,
}

/// A table, with the contents that rsct needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Table {
    family: String,
    name: String,
    /// Its `ct timeout` objects.
    pub(super) objects: Vec<Object>,
    /// Its chains.
    pub(super) chains: Vec<Chain>,
    /// True if it has other contents.
    pub(super) has_more: bool,
}

/// A chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) name: String,
    /// Number of its rules.
    pub(super) rules: usize,
}

/// A `ct timeout` object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Object {
    name: String,
    pub(super) protocol: String,
    /// Each state's name and seconds.
    pub(super) values: Vec<(String, u32)>,
}

impl Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.protocol)?;
        self.values
            .iter()
            .try_for_each(|(state, seconds)| write!(f, " {state}={seconds}"))
    }
}

impl Ruleset {
    /// The table of this family and name.
    pub(super) fn table(&self, family: &str, name: &str) -> Option<&Table> {
        self.tables
            .iter()
            .find(|table| table.family == family && table.name == name)
    }

    /// The timeout object of this name in a table.
    pub(super) fn object(&self, family: &str, table: &str, name: &str) -> Option<&Object> {
        let objects = &self.table(family, table)?.objects;
        objects.iter().find(|object| object.name == name)
    }

    /// Parses nft's output.
    pub(super) fn parse(output: &str) -> Self {
        let mut ruleset = Self::default();
        // The open blocks, innermost last.
        let mut inside = Vec::new();
        for line in output.lines() {
            let words = words::of_nft(line);
            let is = |index: usize, text: &str| words.get(index).is_some_and(|word| word.text == text);
            if is(0, "}") {
                inside.pop();
                continue;
            }
            if let Some(block) = opened_block(&words) {
                ruleset.open(block, &inside, &words);
                inside.push(block);
                continue;
            }
            match inside.last() {
                Some(Block::Chain) => ruleset.parse_chain_line(line, &words),
                Some(Block::Object) => ruleset.parse_object_line(&words),
                _ => {}
            }
        }
        ruleset
    }

    fn open(&mut self, block: Block, inside: &[Block], words: &[Word]) {
        let word = |index: usize| {
            words
                .get(index)
                .map_or_else(String::new, |word| word.text.clone())
        };
        if block == Block::Table {
            self.tables.push(Table {
                family: word(1),
                name: word(2),
                ..Table::default()
            });
            return;
        }
        let Some(table) = self.tables.last_mut() else {
            return;
        };
        if inside != [Block::Table] {
            // A rule that jumps to an anonymous chain has the chain in braces.
            if let ([.., Block::Chain], Some(chain)) = (inside, table.chains.last_mut()) {
                chain.rules += 1;
            }
            return;
        }
        match block {
            Block::Chain => table.chains.push(Chain {
                name: word(1),
                rules: 0,
            }),
            Block::Object => table.objects.push(Object {
                name: word(2),
                ..Object::default()
            }),
            _ => table.has_more = true,
        }
    }

    fn parse_chain_line(&mut self, line: &str, words: &[Word]) {
        let Some(table) = self.tables.last_mut() else {
            return;
        };
        let Some(chain) = table.chains.last_mut() else {
            return;
        };
        // A chain's own line, such as `type filter hook output priority -199; policy accept;`, has no handle.
        let Some(handle) = handle(words) else { return };
        chain.rules += 1;
        let Some(name) = attached_timeout(words) else {
            return;
        };
        let family = match table.family.as_str() {
            "ip" => Some(Family::Ipv4),
            "ip6" => Some(Family::Ipv6),
            _ => None,
        };
        let ours = table.name == TABLE && rule_comment(words) == Some(&comment(name));
        let (text, _) = line.rsplit_once(" # handle ").unwrap_or((line, ""));
        self.rules.push(Listed {
            tool: Tool::Nft,
            family,
            table: table.name.clone(),
            hook: Hook::ALL.into_iter().find(|hook| hook.name() == chain.name),
            chain: chain.name.clone(),
            name: name.to_owned(),
            ours,
            matching: matching(words),
            text: format!(
                "add rule {} {} {} {}",
                table.family,
                table.name,
                chain.name,
                text.trim()
            ),
            cut: false,
            candidates: Vec::new(),
            key: vec![handle.to_owned()],
        });
    }

    fn parse_object_line(&mut self, words: &[Word]) {
        let object = self.tables.last_mut().and_then(|table| table.objects.last_mut());
        let Some(object) = object else { return };
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        match texts.as_slice() {
            ["protocol", protocol, ..] => object.protocol = (*protocol).to_owned(),
            ["policy", "=", "{", values @ .., "}"] => object.values = states(values),
            _ => {}
        }
    }
}

/// A block in braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Table,
    Chain,
    /// A `ct timeout` object.
    Object,
    /// Sets, maps, other objects, and elements over several lines.
    Other,
}

/// The kind of block that a line opens, if it ends with an open brace, optionally followed by a handle.
fn opened_block(words: &[Word]) -> Option<Block> {
    let end = words.iter().position(|word| word.text == "#" && !word.quoted);
    let words = &words[..end.unwrap_or(words.len())];
    if words.last()?.text != "{" || words.last()?.quoted {
        return None;
    }
    let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    Some(match texts.as_slice() {
        ["table", ..] => Block::Table,
        ["chain", _, "{"] => Block::Chain,
        ["ct", "timeout", _, "{"] => Block::Object,
        _ => Block::Other,
    })
}

fn handle(words: &[Word]) -> Option<&str> {
    match words {
        [.., hash, word, handle] if hash.text == "#" && word.text == "handle" => Some(&handle.text),
        _ => None,
    }
}

/// The timeout object that a rule attaches.
fn attached_timeout(words: &[Word]) -> Option<&str> {
    words.windows(4).find_map(|four| match four {
        [ct, timeout, set, name]
            if (ct.text.as_str(), timeout.text.as_str(), set.text.as_str()) == ("ct", "timeout", "set")
                && !ct.quoted =>
        {
            Some(name.text.as_str())
        }
        _ => None,
    })
}

/// A rule's comment.
fn rule_comment(words: &[Word]) -> Option<&String> {
    words.windows(2).find_map(|two| match two {
        [word, comment] if word.text == "comment" && !word.quoted && comment.quoted => Some(&comment.text),
        _ => None,
    })
}

/// `unreplied : 30, replied : 300`.
fn states(words: &[&str]) -> Vec<(String, u32)> {
    let text = words.join(" ");
    let state = |text: &str| {
        let (state, seconds) = text.split_once(':')?;
        // Newer versions may print the unit.
        let seconds = seconds.trim().trim_end_matches('s').parse().ok()?;
        Some((state.trim().to_owned(), seconds))
    };
    text.split(',').filter_map(state).collect()
}

/// The flows that a rule matches; `None` if any condition is not one that rsct writes.
fn matching(words: &[Word]) -> Option<Matching> {
    let mut parts = Parts::default();
    let mut texts = words.iter().map(|word| word.text.as_str());
    while let Some(word) = texts.next() {
        match word {
            "meta" => {
                if texts.next()? != "l4proto" {
                    return None;
                }
                parts.proto = Some(protocol::parse(texts.next()?)?);
            }
            "iifname" => parts.in_iface = Some(interface(texts.next()?)),
            "oifname" => parts.out_iface = Some(interface(texts.next()?)),
            "ip" | "ip6" => {
                let part = match texts.next()? {
                    "saddr" => &mut parts.src,
                    "daddr" => &mut parts.dst,
                    _ => return None,
                };
                *part = Some(prefix(texts.next()?)?);
            }
            "tcp" | "udp" => {
                parts.proto = Some(protocol::parse(word)?);
                let part = match texts.next()? {
                    "sport" => &mut parts.sport,
                    "dport" => &mut parts.dport,
                    _ => return None,
                };
                *part = Some(Ports::parse(texts.next()?)?);
            }
            "ct" => {
                if (texts.next()?, texts.next()?) != ("timeout", "set") {
                    return None;
                }
                texts.next()?;
            }
            "comment" => {
                texts.next()?;
            }
            // The handle follows.
            "#" => break,
            _ => return None,
        }
    }
    parts.matching()
}

fn interface(name: &str) -> String {
    match name.strip_suffix('*') {
        Some(start) => format!("{start}+"),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{
        names::proto,
        netlink::timeout::Timeouts,
        rules::{
            Rule, TypedMatch,
            nft::{self, Copied, NftError},
            samples::NFT,
        },
    };

    fn policy() -> Timeouts {
        Timeouts {
            l3proto: 2,
            l4proto: proto::UDP,
            values: vec![(1, 3), (2, 300)],
        }
    }

    fn rule(hook: Hook) -> Rule {
        Rule {
            policy: "udp-policy1".to_owned(),
            family: Family::Ipv4,
            hook,
            matching: TypedMatch::default().matching(Family::Ipv4, proto::UDP).unwrap(),
        }
    }

    #[test]
    fn rules_with_timeouts_are_found() {
        let ruleset = Ruleset::parse(NFT);
        let found: Vec<(&str, &str, bool)> = ruleset
            .rules
            .iter()
            .map(|rule| (rule.chain.as_str(), rule.name.as_str(), rule.ours))
            .collect();
        let expected = [
            ("prerouting", "slow", false),
            ("prerouting", "udp-policy1", true),
            ("output", "udp-policy1", true),
            ("output", "udp-policy1", false),
        ];
        assert_eq!(found, expected);
        assert_eq!(
            ruleset.rules[1].matching.as_ref().unwrap().to_string(),
            "--proto udp --src 10.0.0.0/8 --dst 1.2.3.4 --sport 5:65535 --dport 0:9 --in-iface lo+"
        );
        assert!(ruleset.rules[2].is_already(&rule(Hook::Output)));
        assert!(!ruleset.rules[1].is_already(&rule(Hook::Prerouting)));
        assert_eq!(
            ruleset.rules[3].text,
            "add rule ip rsct output meta l4proto 17 ct timeout set \"udp-policy1\" comment \"manual\""
        );
        assert_eq!(
            ruleset.object("ip", "rsct", "udp-policy1").unwrap().to_string(),
            "udp unreplied=3 replied=300"
        );
        assert_eq!(ruleset.table("inet", "mine").unwrap().chains[0].rules, 2);
        assert!(ruleset.table("inet", "mine").unwrap().has_more);
    }

    #[test]
    fn objects_in_use_are_kept() {
        let ruleset = Ruleset::parse(NFT);
        let ours: Vec<&Listed> = ruleset.rules.iter().filter(|rule| rule.ours).collect();
        assert_eq!(
            nft::delete(&ours, &ruleset).args,
            [
                "delete rule ip rsct prerouting handle 3; delete rule ip rsct output handle 5; delete chain ip rsct \
                 prerouting"
            ]
        );
        let alone =
            Ruleset::parse(&NFT.replace("comment \"manual\"", "comment \"rsct timeout udp-policy1\""));
        let ours: Vec<&Listed> = alone.rules.iter().filter(|rule| rule.ours).collect();
        let script = nft::delete(&ours, &alone).args.concat();
        assert!(
            script.ends_with(
                "; delete ct timeout ip rsct udp-policy1; delete chain ip rsct prerouting; delete chain ip rsct \
                 output; delete table ip rsct"
            ),
            "{script}"
        );
    }

    #[test]
    fn rules_are_added_in_one_transaction() {
        let rules = Hook::ALL.map(rule);
        let copied = Copied::of(&policy()).unwrap();
        let call = nft::add(&rules, &copied, &Ruleset::default()).unwrap();
        assert_eq!(
            call.to_string(),
            "nft 'add table ip rsct; add ct timeout ip rsct udp-policy1 { protocol udp; policy = { unreplied : 3, \
             replied : 300 }; }; add chain ip rsct prerouting { type filter hook prerouting priority -199; }; add rule \
             ip rsct prerouting meta l4proto udp ct timeout set \"udp-policy1\" comment \"rsct timeout udp-policy1\"; \
             add chain ip rsct output { type filter hook output priority -199; }; add rule ip rsct output meta l4proto \
             udp ct timeout set \"udp-policy1\" comment \"rsct timeout udp-policy1\"'"
        );
    }

    #[test]
    fn unsupported_policies_are_refused() {
        let policy = |l4proto| Timeouts { l4proto, ..policy() };
        let refused = Copied::of(&policy(proto::ICMP)).unwrap_err();
        assert_eq!(refused, NftError::Protocol { protocol: "icmp" });
        let tcp = Copied::of(&Timeouts {
            values: (1..=11)
                .map(|attribute| (attribute, u32::from(attribute)))
                .collect(),
            ..policy(proto::TCP)
        })
        .unwrap();
        assert_eq!(tcp.values.len(), 10, "nft has no syn_sent2");
        assert_eq!(tcp.values[9], ("unack", 11));
        let ruleset = Ruleset::parse(NFT);
        let mut other = self::policy();
        other.values[1].1 = 301;
        let copied = |policy: &Timeouts| Copied::of(policy).unwrap();
        let added = |name: &str, policy| {
            let rule = Rule {
                policy: name.to_owned(),
                ..rule(Hook::Output)
            };
            nft::add(&[rule], &copied(policy), &ruleset)
        };
        let same = self::policy();
        added("udp-policy1", &same).unwrap();
        let refused = added("udp-policy1", &other).unwrap_err().to_string();
        assert!(refused.contains("(udp unreplied=3 replied=300)"), "{refused}");
        // nft does not print a default value.
        let hidden = NFT.replace("unreplied : 3, ", "");
        for (seconds, is_equal) in [(30, true), (3, false)] {
            let mut policy = self::policy();
            policy.values[0].1 = seconds;
            let added = nft::add(&[rule(Hook::Output)], &copied(&policy), &Ruleset::parse(&hidden));
            assert_eq!(added.is_ok(), is_equal, "{seconds}");
        }
        for name in ["1a", "a b", "a\"b", "", "ä", "a;b"] {
            assert_eq!(added(name, &other), Err(NftError::Name), "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_output_is_read(output in "((table|chain|ct timeout) [a-z ]{0,6}\\{( # handle 1)?\n|[ -~]{0,40}\n|\\}\n){0,9}") {
            Ruleset::parse(&output);
        }
    }
}
