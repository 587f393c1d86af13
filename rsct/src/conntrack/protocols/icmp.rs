//! ICMP and ICMPv6.

use super::{Long, OptionTarget, Problem, ProtocolOptions, atoi, long, no_completion, port};
use crate::{
    conntrack::{command::Command, object::EntryAttr},
    names::proto,
};

fn legality(command: Command) -> &'static [u8] {
    match command {
        Command::List | Command::Update | Command::Delete | Command::Event => b"222",
        Command::Create | Command::Add | Command::Get => b"112",
        _ => b"000",
    }
}

fn take(option: u8, value: &[u8], protocol: u8, target: &mut OptionTarget, given: &mut u32) {
    let entry = &mut target.entry;
    match option {
        b'1' => entry.set_icmp_type(atoi(value) as u8),
        b'2' => entry.set_icmp_code(atoi(value) as u8),
        b'3' => entry.set_icmp_id(port(value)),
        _ => return,
    }
    entry.set_protocol(protocol);
    if entry.set.has(EntryAttr::ReplL3) {
        entry.set_reply_protocol(protocol);
    }
    *given |= 1 << (option - b'1');
}

fn take_icmp(option: u8, value: &[u8], target: &mut OptionTarget, given: &mut u32) -> Result<(), Problem> {
    take(option, value, proto::ICMP, target, given);
    Ok(())
}

fn take_icmpv6(option: u8, value: &[u8], target: &mut OptionTarget, given: &mut u32) -> Result<(), Problem> {
    take(option, value, proto::ICMPV6, target, given);
    Ok(())
}

const ICMP_LONG: [Long; 3] = [
    long("icmp-type", b'1'),
    long("icmp-code", b'2'),
    long("icmp-id", b'3'),
];

const ICMPV6_LONG: [Long; 3] = [
    long("icmpv6-type", b'1'),
    long("icmpv6-code", b'2'),
    long("icmpv6-id", b'3'),
];

pub(super) static ICMP: ProtocolOptions = ProtocolOptions {
    name: "icmp",
    number: proto::ICMP,
    long: &ICMP_LONG,
    help: "  --icmp-type\t\t\ticmp type
  --icmp-code\t\t\ticmp code
  --icmp-id\t\t\ticmp id
",
    names: &["icmp-type", "icmp-code", "icmp-id"],
    legality,
    take: take_icmp,
    pairs: None,
    finish: no_completion,
};

pub(super) static ICMPV6: ProtocolOptions = ProtocolOptions {
    name: "icmpv6",
    number: proto::ICMPV6,
    long: &ICMPV6_LONG,
    help: "  --icmpv6-type\t\t\ticmpv6 type
  --icmpv6-code\t\t\ticmpv6 code
  --icmpv6-id\t\t\ticmpv6 id
",
    names: &["icmpv6-type", "icmpv6-code", "icmpv6-id"],
    legality,
    take: take_icmpv6,
    pairs: None,
    finish: no_completion,
};
