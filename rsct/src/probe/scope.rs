//! The filter of a command, as the programs' globals: see `rsct_common::filter`.

use std::net::IpAddr;

use aya::EbpfLoader;
use rsct_common::filter::test;

use crate::filter::{Filter, Prefix};

/// The flows that the programs record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope {
    /// Inode number of the traced namespace; none for all.
    pub netns: Option<u32>,
    /// The filter on flows.
    pub filter: Filter,
}

/// The value of a global, with its width in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GlobalValue {
    /// 32 bits.
    Word(u32),
    /// 64 bits.
    Double(u64),
}

impl GlobalValue {
    /// Sets the global called `name`.
    pub(crate) fn apply<'a>(&'a self, name: &'a str, loader: &mut EbpfLoader<'a>) {
        match self {
            Self::Word(value) => loader.override_global(name, value, true),
            Self::Double(value) => loader.override_global(name, value, true),
        };
    }
}

impl Scope {
    /// Returns the globals and their values.
    pub(crate) fn globals(&self) -> Vec<(String, GlobalValue)> {
        let mut globals = Globals {
            tests: 0,
            values: Vec::new(),
        };
        let filter = &self.filter;
        globals.word("NETNS", self.netns.unwrap_or(0));
        globals.test(test::PROTO, "FILTER_PROTO", filter.proto.map(u32::from));
        globals.test(
            test::FAMILY,
            "FILTER_FAMILY",
            filter.family.map(|family| family as u32),
        );
        globals.test(test::SPORT, "FILTER_SPORT", filter.sport.map(port));
        globals.test(test::DPORT, "FILTER_DPORT", filter.dport.map(port));
        globals.test(test::PORT, "FILTER_PORT", filter.port.map(port));
        globals.test(test::ZONE, "FILTER_ZONE", filter.zone.map(u32::from));
        globals.test(test::MARK, "FILTER_MARK", filter.mark.map(|mark| mark.value));
        globals.word("FILTER_MARK_MASK", filter.mark.map_or(0, |mark| mark.mask));
        globals.network(test::SRC, "FILTER_SRC", filter.src);
        globals.network(test::DST, "FILTER_DST", filter.dst);
        globals.network(test::HOST, "FILTER_HOST", filter.host);
        globals.network(test::REPLY_SRC, "FILTER_REPLY_SRC", filter.reply_src);
        globals.network(test::REPLY_DST, "FILTER_REPLY_DST", filter.reply_dst);
        globals.word("FILTER_TESTS", globals.tests);
        globals.values
    }
}

struct Globals {
    tests: u32,
    values: Vec<(String, GlobalValue)>,
}

impl Globals {
    fn word(&mut self, name: &str, value: u32) {
        self.values.push((name.to_owned(), GlobalValue::Word(value)));
    }

    fn test(&mut self, test: u32, name: &str, value: Option<u32>) {
        if let Some(value) = value {
            self.tests |= test;
            self.word(name, value);
        }
    }

    fn network(&mut self, test: u32, name: &str, prefix: Option<Prefix>) {
        let Some(prefix) = prefix else { return };
        self.tests |= test;
        let (low, high) = words(prefix.addr);
        let (low_mask, high_mask) = words(mask(prefix));
        for (part, value) in [
            ("LOW", low),
            ("HIGH", high),
            ("LOW_MASK", low_mask),
            ("HIGH_MASK", high_mask),
        ] {
            self.values
                .push((format!("{name}_{part}"), GlobalValue::Double(value)));
        }
    }
}

/// Returns a port as in a tuple: in network order, read as a number of this machine.
fn port(port: u16) -> u32 {
    u32::from(port.to_be())
}

/// Returns an address as in a tuple: IPv4 in the first four bytes.
fn words(address: IpAddr) -> (u64, u64) {
    let mut bytes = [0; 16];
    match address {
        IpAddr::V4(address) => bytes[..4].copy_from_slice(&address.octets()),
        IpAddr::V6(address) => bytes = address.octets(),
    }
    let word = |from: usize| u64::from_ne_bytes(std::array::from_fn(|index| bytes[from + index]));
    (word(0), word(8))
}

/// Returns the mask of the prefix.
fn mask(prefix: Prefix) -> IpAddr {
    let bits = u32::from(prefix.bits);
    match prefix.addr {
        IpAddr::V4(_) => IpAddr::V4(u32::MAX.checked_shl(32 - bits).unwrap_or(0).into()),
        IpAddr::V6(_) => IpAddr::V6(u128::MAX.checked_shl(128 - bits).unwrap_or(0).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globals(filter: Filter) -> Vec<(String, GlobalValue)> {
        Scope { netns: None, filter }.globals()
    }

    #[test]
    fn no_filter_asks_for_no_test() {
        assert!(globals(Filter::default()).contains(&("FILTER_TESTS".to_owned(), GlobalValue::Word(0))));
    }

    #[test]
    fn an_address_becomes_the_words_of_a_tuple() {
        let prefix = Prefix {
            addr: "192.168.34.0".parse().expect("valid"),
            bits: 24,
        };
        let globals = globals(Filter {
            src: Some(prefix),
            ..Filter::default()
        });
        let low = u64::from_ne_bytes([192, 168, 34, 0, 0, 0, 0, 0]);
        let mask = u64::from_ne_bytes([255, 255, 255, 0, 0, 0, 0, 0]);
        assert!(globals.contains(&("FILTER_SRC_LOW".to_owned(), GlobalValue::Double(low))));
        assert!(globals.contains(&("FILTER_SRC_LOW_MASK".to_owned(), GlobalValue::Double(mask))));
        assert!(globals.contains(&("FILTER_TESTS".to_owned(), GlobalValue::Word(test::SRC))));
    }

    #[test]
    fn prefixes_of_any_length_have_a_mask() {
        let none = Prefix {
            addr: "::".parse().expect("valid"),
            bits: 0,
        };
        assert_eq!(mask(none), "::".parse::<IpAddr>().expect("valid"));
        let all = Prefix {
            addr: "10.0.0.1".parse().expect("valid"),
            bits: 32,
        };
        assert_eq!(mask(all), "255.255.255.255".parse::<IpAddr>().expect("valid"));
    }
}
