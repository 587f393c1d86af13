//! Parsing of protocol names and numbers.

use crate::{clib::protocols, names::proto};

/// Names accepted without `/etc/protocols`, in addition to those with a conntrack handler.
const COMMON: [(u8, &str); 7] = [
    (proto::ICMPV6, "ipv6-icmp"),
    (2, "igmp"),
    (4, "ipip"),
    (50, "esp"),
    (51, "ah"),
    (89, "ospf"),
    (112, "vrrp"),
];

/// The number of a protocol given by number or name.
pub(crate) fn parse(text: &str) -> Option<u8> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return text.parse().ok();
    }
    let handled = (0..=u8::MAX).find(|n| proto::name(*n).is_some_and(|name| name.eq_ignore_ascii_case(text)));
    let common = || {
        let same = |(_, name): &&(u8, &str)| name.eq_ignore_ascii_case(text);
        COMMON.iter().find(same).map(|(number, _)| *number)
    };
    handled
        .or_else(common)
        .or_else(|| find(&protocols::text().ok()?, text))
}

/// Finds a name or alias in text in the format of `/etc/protocols`.
fn find(text: &str, name: &str) -> Option<u8> {
    protocols::lines(text)
        .find(|line| line.names().any(|known| known.eq_ignore_ascii_case(name)))
        .and_then(|line| line.number.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_or_a_name_names_a_protocol() {
        assert_eq!(parse("tcp"), Some(6));
        assert_eq!(parse("ICMPv6"), Some(58));
        assert_eq!(parse("esp"), Some(50));
        assert_eq!(parse("255"), Some(255));
        for wrong in ["256", "", "-1", "no-such-protocol"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn etc_protocols_is_read_with_aliases_and_comments() {
        let text = "# comment\nrdp 27 RDP # Reliable Data\nipv6-icmp\t58\tIPv6-ICMP\nbroken\n";
        assert_eq!(find(text, "RDP"), Some(27));
        assert_eq!(find(text, "ipv6-ICMP"), Some(58));
        assert_eq!(find(text, "reliable"), None);
    }
}
