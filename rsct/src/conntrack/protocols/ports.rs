//! UDP and UDPLITE, and the parts common to all protocols with ports.

use super::{Long, OptionTarget, PORT_PAIRS, Problem, ProtocolOptions, long, no_completion, port};
use crate::{
    conntrack::{command::Command, object::EntryAttr},
    names::proto,
};

/// The names, in error messages, of the options that all protocols with ports have, without the state.
const NAMES: [&str; 8] = [
    "sport",
    "dport",
    "reply-port-src",
    "reply-port-dst",
    "mask-port-src",
    "mask-port-dst",
    "tuple-port-src",
    "tuple-port-dst",
];

/// Either pair of ports.
pub(super) const PAIRS: [u32; 2] = [0b0011, 0b1100];

fn legality(command: Command) -> &'static [u8] {
    match command {
        Command::List | Command::Update | Command::Delete | Command::Event => b"22220000",
        Command::Create | Command::Add | Command::Get => b"33330000",
        Command::ExpectCreate => b"11001111",
        Command::ExpectDelete | Command::ExpectGet => b"11110000",
        _ => b"00000000",
    }
}

/// The port options, numbered from 1 as in TCP and SCTP, without their state.
#[derive(Clone, Copy)]
pub(super) enum PortOption {
    /// `--sport` and the three that follow it.
    Of(EntryAttr),
    /// `--mask-port-src` or `-dst`.
    Mask(EntryAttr),
    /// `--tuple-port-src` or `-dst`.
    Expected(EntryAttr),
}

/// Sets a port in its tuple.
pub(super) fn set(which: PortOption, value: u16, protocol: u8, target: &mut OptionTarget) {
    match which {
        PortOption::Of(attr) => target.entry.set_port(attr, value, protocol),
        PortOption::Mask(attr) => target.mask.set_port(attr, value, protocol),
        PortOption::Expected(attr) => target.expected.set_port(attr, value, protocol),
    }
}

/// The port that one of a protocol's first six options sets.
pub(super) fn of(number: u8) -> Option<PortOption> {
    Some(match number {
        1 => PortOption::Of(EntryAttr::OrigSport),
        2 => PortOption::Of(EntryAttr::OrigDport),
        3 => PortOption::Of(EntryAttr::ReplSport),
        4 => PortOption::Of(EntryAttr::ReplDport),
        5 => PortOption::Mask(EntryAttr::OrigSport),
        6 => PortOption::Mask(EntryAttr::OrigDport),
        _ => return None,
    })
}

/// The port that one of the last two options sets; `source` is the number of the first.
pub(super) fn expected(number: u8, source: u8) -> Option<PortOption> {
    match number.checked_sub(source)? {
        0 => Some(PortOption::Expected(EntryAttr::OrigSport)),
        1 => Some(PortOption::Expected(EntryAttr::OrigDport)),
        _ => None,
    }
}

fn take(option: u8, value: &[u8], protocol: u8, target: &mut OptionTarget, given: &mut u32) {
    let Some(number @ 1..=8) = option.checked_sub(b'0') else {
        return;
    };
    if let Some(which) = of(number).or_else(|| expected(number, 7)) {
        set(which, port(value), protocol, target);
        *given |= 1 << (number - 1);
    }
}

fn take_udp(option: u8, value: &[u8], target: &mut OptionTarget, given: &mut u32) -> Result<(), Problem> {
    take(option, value, proto::UDP, target, given);
    Ok(())
}

fn take_udplite(option: u8, value: &[u8], target: &mut OptionTarget, given: &mut u32) -> Result<(), Problem> {
    take(option, value, proto::UDPLITE, target, given);
    Ok(())
}

const UDP_LONG: [Long; 10] = [
    long("orig-port-src", b'1'),
    long("sport", b'1'),
    long("orig-port-dst", b'2'),
    long("dport", b'2'),
    long("reply-port-src", b'3'),
    long("reply-port-dst", b'4'),
    long("mask-port-src", b'5'),
    long("mask-port-dst", b'6'),
    long("tuple-port-src", b'7'),
    long("tuple-port-dst", b'8'),
];

pub(super) static UDP: ProtocolOptions = ProtocolOptions {
    name: "udp",
    number: proto::UDP,
    long: &UDP_LONG,
    help: HELP,
    names: &NAMES,
    legality,
    take: take_udp,
    pairs: Some((PAIRS, PORT_PAIRS)),
    finish: no_completion,
};

pub(super) static UDPLITE: ProtocolOptions = ProtocolOptions {
    name: "udplite",
    number: proto::UDPLITE,
    take: take_udplite,
    long: &UDP_LONG,
    help: HELP,
    names: &NAMES,
    legality,
    pairs: Some((PAIRS, PORT_PAIRS)),
    finish: no_completion,
};

const HELP: &str = "  --orig-port-src\t\toriginal source port
  --orig-port-dst\t\toriginal destination port
  --reply-port-src\t\treply source port
  --reply-port-dst\t\treply destination port
  --mask-port-src\t\tmask source port
  --mask-port-dst\t\tmask destination port
  --tuple-port-src\t\texpectation tuple src port
  --tuple-port-src\t\texpectation tuple dst port
";
