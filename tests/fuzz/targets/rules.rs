//! Rules as iptables and nft print them, which contain other programs' text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rsct::internals::{
    family::Family,
    rules::{self, Tool},
};

fuzz_target!(|shown: &str| {
    for tool in [Tool::Iptables, Tool::Nft] {
        for mut rule in rules::parse(tool, shown) {
            assert!(!rule.ours || !rule.name.is_empty(), "{rule:?}");
            if let Some(matching) = &rule.matching {
                assert!(matching.to_string().starts_with("--proto "), "{rule:?}");
            }
            if tool == Tool::Iptables {
                // The line alone is parsed as the same rule.
                let alone = rules::parse(tool, &rule.text);
                assert_eq!(alone.len(), 1, "{rule:?}");
                assert_eq!((&alone[0].name, alone[0].ours), (&rule.name, rule.ours));
            }
            let name = rule.name.clone();
            rule.resolve([("a policy", Family::Ipv4), (&format!("{name}y"), Family::Ipv4)]);
            assert!(rule.name.starts_with(&name), "{rule:?}");
        }
    }
});
