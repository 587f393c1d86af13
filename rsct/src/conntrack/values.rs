//! Values of options: lists of words, marks, addresses and NAT addresses.

use std::net::IpAddr;

use super::problem::Problem;
use crate::{
    clib::number::{inet_aton, inet_pton6, strtol, strtoul},
    family::Family,
    message,
    names::status::{ASSURED, EXPECTED, FIXED_TIMEOUT, HW_OFFLOAD, OFFLOAD, SEEN_REPLY},
    netlink::conntrack::MaskedU32,
};

/// The words of `-u`.
pub(super) const STATUS: &[(&str, u32)] = &[
    ("ASSURED", ASSURED),
    ("SEEN_REPLY", SEEN_REPLY),
    ("UNSET", 0),
    ("FIXED_TIMEOUT", FIXED_TIMEOUT),
    ("EXPECTED", EXPECTED),
    ("OFFLOAD", OFFLOAD),
    ("HW_OFFLOAD", HW_OFFLOAD),
];

/// Bits of `-e`.
pub(super) mod event {
    /// `NEW`.
    pub(in crate::conntrack) const NEW: u32 = 1 << 0;
    /// `UPDATES`.
    pub(in crate::conntrack) const UPDATES: u32 = 1 << 1;
    /// `DESTROY`.
    pub(in crate::conntrack) const DESTROY: u32 = 1 << 2;
    /// `ALL`.
    pub(in crate::conntrack) const ALL: u32 = NEW | UPDATES | DESTROY;
}

/// The words of `-e`.
pub(super) const EVENTS: &[(&str, u32)] = &[
    ("ALL", event::ALL),
    ("NEW", event::NEW),
    ("UPDATES", event::UPDATES),
    ("DESTROY", event::DESTROY),
];

/// Bits of `-o`.
pub(super) mod output {
    /// `xml`.
    pub(in crate::conntrack) const XML: u32 = 1 << 0;
    /// `extended`.
    pub(in crate::conntrack) const EXTENDED: u32 = 1 << 1;
    /// `timestamp`.
    pub(in crate::conntrack) const TIMESTAMP: u32 = 1 << 2;
    /// `id`.
    pub(in crate::conntrack) const ID: u32 = 1 << 3;
    /// `ktimestamp`.
    pub(in crate::conntrack) const KTIMESTAMP: u32 = 1 << 4;
    /// `labels`.
    pub(in crate::conntrack) const LABELS: u32 = 1 << 5;
    /// `save`.
    pub(in crate::conntrack) const SAVE: u32 = 1 << 6;
}

/// The words of `-o`; `userspace` no longer has an effect.
pub(super) const OUTPUT: &[(&str, u32)] = &[
    ("xml", output::XML),
    ("extended", output::EXTENDED),
    ("timestamp", output::TIMESTAMP),
    ("id", output::ID),
    ("ktimestamp", output::KTIMESTAMP),
    ("labels", output::LABELS),
    ("userspace", 0),
    ("save", output::SAVE),
];

/// The value of a word or prefix, in any case; warns of a former status.
fn word(typed: &[u8], words: &[(&str, u32)]) -> Option<u32> {
    let begins = |word: &str| {
        word.as_bytes()
            .get(..typed.len())
            .is_some_and(|begin| begin.eq_ignore_ascii_case(typed))
    };
    for (former, option) in [("SRC_NAT", "--src-nat"), ("DST_NAT", "--dst-nat")] {
        if begins(former) {
            message::write(format!("WARNING: ignoring {former}, use {option} instead\n"));
            return Some(0);
        }
    }
    words
        .iter()
        .find(|(word, _)| begins(word))
        .map(|(_, value)| *value)
}

/// The union of a list of words.
pub(super) fn words(list: &[u8], known: &[(&str, u32)]) -> Result<u32, Problem> {
    let mut all = 0;
    let mut rest = list;
    loop {
        let comma = rest.iter().position(|byte| *byte == b',');
        let typed = &rest[..comma.unwrap_or(rest.len())];
        let bad = || Problem::parameter_with("Bad parameter `", rest, "'");
        let value = (!typed.is_empty()).then(|| word(typed, known)).flatten();
        all |= value.ok_or_else(bad)?;
        match comma {
            Some(comma) => rest = &rest[comma + 1..],
            None => return Ok(all),
        }
    }
}

/// Required status bits and forbidden status bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct StatusBits {
    /// Bits that must be set.
    pub(super) set: u32,
    /// Bits that must be clear.
    pub(super) unset: u32,
}

impl StatusBits {
    /// Adds the words of `-u`: names, `!` before a name for a clear bit, and `UNREPLIED`.
    pub(super) fn add(&mut self, list: &[u8]) -> Result<(), Problem> {
        let mut rest = list;
        loop {
            let comma = rest.iter().position(|byte| *byte == b',');
            if comma == Some(0) {
                return Err(Problem::parameter_with("Bad parameter `", rest, "'"));
            }
            let negated = rest.first() == Some(&b'!');
            let from = usize::from(negated);
            let typed = &rest[from..comma.unwrap_or(rest.len())];
            let bad = || Problem::parameter_with("Bad parameter `", &rest[from..], "'");
            if typed.is_empty() {
                return Err(bad());
            }
            if !negated && rest.starts_with(b"UNREPLIED") {
                self.unset |= SEEN_REPLY;
            } else {
                let bits = word(typed, STATUS).ok_or_else(bad)?;
                if negated {
                    self.unset |= bits;
                } else {
                    self.set |= bits;
                }
            }
            match comma {
                Some(comma) => rest = &rest[comma + 1..],
                None => return Ok(()),
            }
        }
    }

    /// Returns whether a status matches.
    pub(super) fn match_status(self, status: u32) -> bool {
        status & (self.set | self.unset) == self.set
    }
}

/// `-m`: a mark and its mask.
pub(super) fn mark(typed: &[u8]) -> MaskedU32 {
    let (value, rest) = strtoul(typed, 0);
    let mask = match rest {
        [b'/', mask @ ..] => strtoul(mask, 0).0 as u32,
        _ => u32::MAX,
    };
    MaskedU32 {
        value: value as u32,
        mask,
    }
}

/// An address, as an entry's tuple holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// Its family.
    pub(super) family: Family,
    /// Its bytes.
    pub(super) bytes: [u8; 16],
}

impl Address {
    fn parse(typed: &[u8]) -> Option<Self> {
        let v4 = inet_aton(typed).map(IpAddr::V4);
        let address = v4.or_else(|| inet_pton6(typed).map(IpAddr::V6))?;
        let mut bytes = [0; 16];
        let family = match address {
            IpAddr::V4(address) => {
                bytes[..4].copy_from_slice(&address.octets());
                Family::Ipv4
            }
            IpAddr::V6(address) => {
                bytes = address.octets();
                Family::Ipv6
            }
        };
        Some(Self { family, bytes })
    }

    /// Bits in an address of this family.
    pub(super) fn bits(family: Family) -> u8 {
        match family {
            Family::Ipv4 => 32,
            Family::Ipv6 => 128,
        }
    }

    /// The mask of this many bits.
    pub(super) fn mask(bits: u8) -> [u8; 16] {
        let ones = u128::MAX.checked_shl(128 - u32::from(bits)).unwrap_or(0);
        ones.to_be_bytes()
    }
}

/// The text after an address's slash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AfterSlash {
    /// No slash.
    None,
    /// A prefix length.
    Bits(u8),
    /// Anything else.
    Invalid,
}

/// Parses an address and the prefix length after it.
pub(super) fn address(typed: &[u8]) -> Option<(Address, AfterSlash)> {
    /// Longest text of an address: conntrack's `INET6_ADDRSTRLEN` less the zero byte; further bytes are ignored.
    const MAX_BYTES: usize = 45;
    let typed = &typed[..typed.len().min(MAX_BYTES)];
    let slash = typed.iter().position(|byte| *byte == b'/');
    let address = Address::parse(&typed[..slash.unwrap_or(typed.len())])?;
    let Some(slash) = slash else {
        return Some((address, AfterSlash::None));
    };
    let (bits, rest) = strtol(&typed[slash + 1..], 10);
    let bits = u8::try_from(bits)
        .ok()
        .filter(|bits| rest.is_empty() && *bits <= Address::bits(address.family));
    Some((address, bits.map_or(AfterSlash::Invalid, AfterSlash::Bits)))
}

/// Splits the value of a NAT option such as `--src-nat` into an address and a port.
pub(super) fn address_and_port(typed: &[u8]) -> Result<(&[u8], Option<u16>), Problem> {
    let find = |text: &[u8], byte| text.iter().position(|b| *b == byte);
    let (address, port) = if let Some(open) = find(typed, b'[') {
        let inside = &typed[open + 1..];
        let close =
            find(inside, b']').ok_or_else(|| Problem::parameter("No closing ']' around IPv6 address"))?;
        if close == 0 {
            return Err(Problem::parameter("No IPv6 address specified"));
        }
        match find(&inside[close..], b':') {
            Some(colon) => (&inside[..close], Some(&inside[close + colon + 1..])),
            None => (typed, None),
        }
    } else {
        match find(typed, b':') {
            Some(colon) if find(&typed[colon + 1..], b':').is_none() => {
                (&typed[..colon], Some(&typed[colon + 1..]))
            }
            _ => (typed, None),
        }
    };
    let Some(port) = port else {
        return Ok((address, None));
    };
    if port.is_empty() {
        return Err(Problem::parameter("No port specified after `:'"));
    }
    let is_number = port.iter().all(u8::is_ascii_digit);
    let number = u16::try_from(strtol(port, 10).0).ok().filter(|_| is_number);
    let invalid = || Problem::parameter_with("Invalid port `", port, "'");
    Ok((address, Some(number.ok_or_else(invalid)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_may_be_cut_and_are_of_any_case() {
        for (list, bits) in [
            ("ASSURED", ASSURED),
            ("assured,seen", ASSURED | SEEN_REPLY),
            ("un,fi", FIXED_TIMEOUT),
            ("OFF", OFFLOAD),
            ("H", HW_OFFLOAD),
            // "S" matches the first word that starts with it, SRC_NAT.
            ("S", 0),
        ] {
            assert_eq!(words(list.as_bytes(), STATUS), Ok(bits), "{list}");
        }
        for (list, rest) in [("", ""), ("a,", ""), (",a", ",a"), ("x,a", "x,a"), ("a,x", "x")] {
            let expected = Problem::parameter(format!("Bad parameter `{rest}'"));
            assert_eq!(words(list.as_bytes(), STATUS), Err(expected), "{list}");
        }
    }

    #[test]
    fn a_status_may_be_negated() {
        for (list, set, unset) in [
            ("ASSURED,!SEEN_REPLY", ASSURED, SEEN_REPLY),
            ("UNREPLIED", 0, SEEN_REPLY),
            ("UNREPLIEDx,ASSURED", ASSURED, SEEN_REPLY),
            ("!exp", 0, EXPECTED),
        ] {
            let mut bits = StatusBits::default();
            bits.add(list.as_bytes()).unwrap();
            assert_eq!(bits, StatusBits { set, unset }, "{list}");
        }
        for (list, rest) in [
            ("!", ""),
            ("!,a", ",a"),
            ("unreplied", "unreplied"),
            ("!UNREPLIED", "UNREPLIED"),
        ] {
            let error = StatusBits::default().add(list.as_bytes()).unwrap_err();
            assert_eq!(
                error,
                Problem::parameter(format!("Bad parameter `{rest}'")),
                "{list}"
            );
        }
    }

    #[test]
    fn addresses_have_an_optional_prefix_length() {
        let read = |typed: &str| address(typed.as_bytes()).map(|(_, after_slash)| after_slash);
        for (typed, after_slash) in [
            ("10.0.0.1", Some(AfterSlash::None)),
            ("10.0.0.0/8", Some(AfterSlash::Bits(8))),
            ("10.0.0.0/", Some(AfterSlash::Bits(0))),
            ("10.0.0.0/33", Some(AfterSlash::Invalid)),
            ("10.0.0.0/8x", Some(AfterSlash::Invalid)),
            ("10.0.0.0/-1", Some(AfterSlash::Invalid)),
            ("2001:db8::/64", Some(AfterSlash::Bits(64))),
            ("2001:db8::/129", Some(AfterSlash::Invalid)),
            ("host", None),
        ] {
            assert_eq!(read(typed), after_slash, "{typed}");
        }
        assert_eq!(Address::mask(0), [0; 16]);
        assert_eq!(Address::mask(128), [255; 16]);
        assert_eq!(Address::mask(9)[..3], [255, 128, 0]);
    }

    #[test]
    fn a_nat_address_has_an_optional_port() {
        for (typed, expected) in [
            ("1.2.3.4", Ok(("1.2.3.4", None))),
            ("1.2.3.4:80", Ok(("1.2.3.4", Some(80)))),
            (":80", Ok(("", Some(80)))),
            ("::1", Ok(("::1", None))),
            ("[::1]:80", Ok(("::1", Some(80)))),
            ("[::1]", Ok(("[::1]", None))),
            ("[]:80", Err("No IPv6 address specified")),
            ("[::1", Err("No closing ']' around IPv6 address")),
            ("1.2.3.4:", Err("No port specified after `:'")),
            ("1.2.3.4:x", Err("Invalid port `x'")),
            ("1.2.3.4:65536", Err("Invalid port `65536'")),
        ] {
            let expected = expected
                .map(|(address, port)| (address.as_bytes(), port))
                .map_err(Problem::parameter);
            assert_eq!(address_and_port(typed.as_bytes()), expected, "{typed}");
        }
    }
}
