//! The options that each protocol brings.

mod dccp;
mod gre;
mod icmp;
mod ports;
mod sctp;
mod tcp;
mod unknown;

use super::{
    command::Command,
    getopt::{Long, Takes},
    object::Object,
    options,
    problem::Problem,
};
use crate::clib::{
    number::{atoi, strtoul},
    protocols as etc,
};

/// What a protocol's options may speak of.
#[derive(Debug, Default)]
pub(super) struct Target {
    /// The entry, or an expectation's master.
    pub(super) entry: Object,
    /// The tuple that an expectation expects.
    pub(super) expected: Object,
    /// Which of its bits count; also the masks of `--mask-src` and `--mask-dst`.
    pub(super) mask: Object,
}

/// A protocol that conntrack has options for, or one that it has none for.
pub(super) struct Protocol {
    /// Its name.
    pub(super) name: &'static str,
    /// Its number; 0 for those without options.
    pub(super) number: u8,
    /// Its options, in conntrack's order.
    pub(super) long: &'static [Long],
    /// What help says of them.
    pub(super) help: &'static str,
    /// Their names in refusals.
    names: &'static [&'static str],
    /// Which of them a command may, must or must not be given; as [`Command::legality`].
    legality: fn(Command) -> &'static [u8],
    /// Takes the value of an option.
    take: fn(u8, &[u8], &mut Target, &mut u32) -> Result<(), Problem>,
    /// The two pairs of which one has to be whole, as bits of the options, and what is said otherwise.
    pairs: Option<([u32; 2], [&'static str; 2])>,
    /// Completes the entry when all options are read.
    finish: fn(&mut Object),
}

impl Protocol {
    /// Takes an option's value.
    pub(super) fn take(
        &self,
        option: u8,
        value: &[u8],
        target: &mut Target,
        given: &mut u32,
    ) -> Result<(), Problem> {
        (self.take)(option, value, target, given)
    }

    /// Refuses combinations that a command can't be given, and completes the entry.
    pub(super) fn finish(&self, given: u32, command: Command, entry: &mut Object) -> Result<(), Problem> {
        let no_pairs = ([0; 2], [""; 2]);
        let (pairs, sentences) = self.pairs.as_ref().unwrap_or(&no_pairs);
        let begun = options::check(given, (self.legality)(command), self.names, pairs)?;
        if let (Some(begun), true) = (begun, self.pairs.is_some()) {
            return Err(Problem::parameter(format!(
                "you have to specify {}",
                sentences[begun]
            )));
        }
        (self.finish)(entry);
        Ok(())
    }
}

/// Every protocol with options, in the order in which names are looked for.
pub(super) static ALL: [&Protocol; 8] = [
    &gre::GRE,
    &icmp::ICMPV6,
    &icmp::ICMP,
    &dccp::DCCP,
    &sctp::SCTP,
    &ports::UDPLITE,
    &ports::UDP,
    &tcp::TCP,
];

/// The protocol that a name or number stands for, and its number.
pub(super) fn find(typed: &[u8]) -> Option<(&'static Protocol, u8)> {
    let named = ALL
        .iter()
        .find(|known| known.name.as_bytes().eq_ignore_ascii_case(typed));
    if let Some(known) = named {
        return Some((known, known.number));
    }
    let listed = etc::text().ok().and_then(|text| etc::number_of(&text, typed));
    if let Some(number) = listed.and_then(|number| u8::try_from(number).ok()) {
        return Some((&unknown::UNKNOWN, number));
    }
    let (number, rest) = strtoul(typed, 0);
    let number = u8::try_from(number).ok()?;
    if rest.len() == typed.len() || !rest.is_empty() {
        return None;
    }
    let known = ALL.iter().find(|known| known.number == number);
    Some((known.copied().unwrap_or(&unknown::UNKNOWN), number))
}

/// What help calls a protocol.
pub(super) fn title(protocol: &Protocol, number: u8) -> String {
    let named = || etc::text().ok().and_then(|text| name_of(&text, number));
    let is_unknown = protocol.number == 0;
    is_unknown
        .then(named)
        .flatten()
        .unwrap_or_else(|| protocol.name.to_owned())
}

fn name_of(text: &str, wanted: u8) -> Option<String> {
    etc::lines(text)
        .find(|line| line.number == u32::from(wanted))
        .map(|line| line.name.to_owned())
}

/// A port as `atoi` reads it, cut to 16 bits.
fn port(value: &[u8]) -> u16 {
    atoi(value) as u16
}

/// A long option that takes a value.
const fn long(name: &'static str, value: u8) -> Long {
    Long {
        name,
        takes: Takes::Value,
        value: value as i32,
    }
}

/// The sentence for protocols with ports.
const PORT_PAIRS: [&str; 2] = [
    "`--sport' and `--dport'",
    "`--reply-src-port' and `--reply-dst-port'",
];

/// What nothing is to be done for.
fn nothing(_: &mut Object) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_is_found_by_name_or_number() {
        for (typed, name, number) in [
            ("TCP", "tcp", 6),
            ("6", "tcp", 6),
            ("0x11", "udp", 17),
            ("icmpv6", "icmpv6", 58),
            ("112", "unknown", 112),
            ("0", "unknown", 0),
        ] {
            let (found, found_number) = find(typed.as_bytes()).unwrap();
            assert_eq!((found.name, found_number), (name, number), "{typed}");
        }
        for wrong in ["256", "-1", "", "6x", "no-such-protocol"] {
            assert!(find(wrong.as_bytes()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn a_number_has_the_name_in_etc_protocols() {
        let text = "# comment\nrdp 27 RDP # Reliable Data\nbroken\n";
        assert_eq!(name_of(text, 27).as_deref(), Some("rdp"));
        assert_eq!(name_of(text, 28), None);
    }
}
