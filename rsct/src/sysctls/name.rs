//! Settings' names: `net.netfilter.nf_conntrack_max`, or `max` for short.

use crate::kernel::sysctl::NETFILTER;

const CONNTRACK: &str = "nf_conntrack_";
/// Further prefixes of conntrack's settings.
const OTHER_PREFIXES: [&str; 2] = ["nf_flowtable_", "nf_hooks_"];

/// Returns whether a setting of the directory belongs to conntrack.
pub(crate) fn is_ours(full: &str) -> bool {
    last(full).is_some_and(|name| {
        name.starts_with(CONNTRACK) || OTHER_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

/// The short form of a name.
pub(crate) fn short(full: &str) -> &str {
    let name = last(full).unwrap_or(full);
    name.strip_prefix(CONNTRACK).unwrap_or(name)
}

/// The full name for typed text, which may be the short form or omit the directory; `None` if no setting of conntrack
/// can have that name.
pub(crate) fn full(typed: &str) -> Option<String> {
    let typed = typed.replace('/', ".");
    let name = last(&typed).unwrap_or(&typed);
    let is_plain = |name: &str| {
        let mut bytes = name.bytes();
        !name.is_empty()
            && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    if !is_plain(name) {
        return None;
    }
    let full = if name.starts_with("nf_") {
        format!("{NETFILTER}.{name}")
    } else if last(&typed).is_none() {
        format!("{NETFILTER}.{CONNTRACK}{name}")
    } else {
        return None;
    };
    is_ours(&full).then_some(full)
}

fn last(full: &str) -> Option<&str> {
    full.strip_prefix(NETFILTER)?.strip_prefix('.')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_have_three_forms() {
        for typed in [
            "max",
            "nf_conntrack_max",
            "net.netfilter.nf_conntrack_max",
            "net/netfilter/nf_conntrack_max",
        ] {
            assert_eq!(
                full(typed).as_deref(),
                Some("net.netfilter.nf_conntrack_max"),
                "{typed}"
            );
        }
        for name in ["nf_flowtable_tcp_timeout", "nf_hooks_lwtunnel"] {
            assert_eq!(full(name), Some(format!("net.netfilter.{name}")));
            assert_eq!(short(&format!("net.netfilter.{name}")), name);
        }
        for typed in [
            "",
            "../max",
            "net.netfilter.max",
            "net.ipv4.ip_forward",
            "nf_log_all_netns",
            "MAX",
            "a b",
        ] {
            assert_eq!(full(typed), None, "{typed}");
        }
    }

    proptest! {
        #[test]
        fn the_short_form_expands_to_the_name(name in "[a-z0-9_]{1,20}", any: String) {
            if let Some(found) = full(&name) {
                prop_assert_eq!(full(short(&found)), Some(found.clone()));
                prop_assert!(found.starts_with("net.netfilter.nf_"));
            }
            let _ = full(&any);
        }
    }
}
