//! The options of each protocol.

mod dccp;
mod gre;
mod icmp;
mod ports;
mod sctp;
mod tcp;
mod unknown;

use super::{
    command::Command,
    getopt::{Long, OptionArgument},
    object::TypedEntry,
    options,
    problem::Problem,
};
use crate::clib::{
    number::{atoi, strtoul},
    protocols as etc,
};

/// The values that a protocol's options set.
#[derive(Debug, Default)]
pub(super) struct OptionTarget {
    /// The entry, or an expectation's master.
    pub(super) entry: TypedEntry,
    /// The tuple of an expectation.
    pub(super) expected: TypedEntry,
    /// The mask of that tuple; also the masks of `--mask-src` and `--mask-dst`.
    pub(super) mask: TypedEntry,
}

/// A protocol and its options, if conntrack has any for it.
pub(super) struct ProtocolOptions {
    /// Its name.
    pub(super) name: &'static str,
    /// Its number; 0 for those without options.
    pub(super) number: u8,
    /// Its options, in conntrack's order.
    pub(super) long: &'static [Long],
    /// Their help text.
    pub(super) help: &'static str,
    /// Their names in error messages.
    names: &'static [&'static str],
    /// The options that a command requires, allows or forbids; as [`Command::legality`].
    legality: fn(Command) -> &'static [u8],
    /// Sets the value of an option.
    take: fn(u8, &[u8], &mut OptionTarget, &mut u32) -> Result<(), Problem>,
    /// Two pairs of options of which one must be complete, as bits, and the texts of the error.
    pairs: Option<([u32; 2], [&'static str; 2])>,
    /// Completes the entry after the last option.
    finish: fn(&mut TypedEntry),
}

impl ProtocolOptions {
    /// Sets an option's value.
    pub(super) fn take(
        &self,
        option: u8,
        value: &[u8],
        target: &mut OptionTarget,
        given: &mut u32,
    ) -> Result<(), Problem> {
        (self.take)(option, value, target, given)
    }

    /// Rejects options that a command forbids or lacks, and completes the entry.
    pub(super) fn finish(&self, given: u32, command: Command, entry: &mut TypedEntry) -> Result<(), Problem> {
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

/// Every protocol with options, in the order of the search by name.
pub(super) static ALL: [&ProtocolOptions; 8] = [
    &gre::GRE,
    &icmp::ICMPV6,
    &icmp::ICMP,
    &dccp::DCCP,
    &sctp::SCTP,
    &ports::UDPLITE,
    &ports::UDP,
    &tcp::TCP,
];

/// The protocol with this name or number, and its number.
pub(super) fn find(typed: &[u8]) -> Option<(&'static ProtocolOptions, u8)> {
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

/// The protocol's title in the help.
pub(super) fn title(protocol: &ProtocolOptions, number: u8) -> String {
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

/// A port as `atoi` reads it, truncated to 16 bits.
fn port(value: &[u8]) -> u16 {
    atoi(value) as u16
}

/// A long option that takes a value.
const fn long(name: &'static str, value: u8) -> Long {
    Long {
        name,
        argument: OptionArgument::Required,
        value: value as i32,
    }
}

/// The error text for protocols with ports.
const PORT_PAIRS: [&str; 2] = [
    "`--sport' and `--dport'",
    "`--reply-src-port' and `--reply-dst-port'",
];

/// For protocols with nothing to complete.
fn no_completion(_: &mut TypedEntry) {}

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
