//! SCTP.

use super::{
    Long, OptionTarget, PORT_PAIRS, Problem, ProtocolOptions, atoi, long, no_completion, port,
    ports::{self, PAIRS},
};
use crate::{
    conntrack::command::Command,
    names::{self, proto},
};

/// Number of states with a name; the two heartbeat states have none.
const STATES: u8 = 8;

const NAMES: [&str; 11] = [
    "sport",
    "dport",
    "reply-port-src",
    "reply-port-dst",
    "mask-port-src",
    "mask-port-dst",
    "state",
    "tuple-port-src",
    "tuple-port-dst",
    "orig-vtag",
    "reply-vtag",
];

fn legality(command: Command) -> &'static [u8] {
    match command {
        Command::List | Command::Delete | Command::Event => b"22220020000",
        Command::Update => b"22220020022",
        Command::Create | Command::Add => b"33330010011",
        Command::Get => b"33330020022",
        Command::ExpectCreate => b"11001101111",
        Command::ExpectDelete | Command::ExpectGet => b"11110000000",
        _ => b"00000000000",
    }
}

fn take(option: u8, value: &[u8], target: &mut OptionTarget, given: &mut u32) -> Result<(), Problem> {
    if !(1..=11).contains(&option) {
        return Ok(());
    }
    match option {
        7 => {
            let is_named =
                |state: &u8| names::state(proto::SCTP, *state).is_some_and(|n| n.as_bytes() == value);
            let unknown = || Problem::parameter_with("unknown SCTP state `", value, "'");
            target.entry.protocol.sctp_state = Some((0..STATES).find(is_named).ok_or_else(unknown)?);
        }
        10 | 11 => {
            target.entry.protocol.sctp_vtags[usize::from(option - 10)] = Some(atoi(value).cast_unsigned());
        }
        _ => {
            if let Some(which) = ports::of(option).or_else(|| ports::expected(option, 8)) {
                ports::set(which, port(value), proto::SCTP, target);
            }
        }
    }
    *given |= 1 << (option - 1);
    Ok(())
}

const LONG: [Long; 13] = [
    long("orig-port-src", 1),
    long("orig-port-dst", 2),
    long("reply-port-src", 3),
    long("reply-port-dst", 4),
    long("mask-port-src", 5),
    long("mask-port-dst", 6),
    long("state", 7),
    long("tuple-port-src", 8),
    long("tuple-port-dst", 9),
    long("orig-vtag", 10),
    long("reply-vtag", 11),
    long("sport", 1),
    long("dport", 2),
];

pub(super) static SCTP: ProtocolOptions = ProtocolOptions {
    name: "sctp",
    number: proto::SCTP,
    long: &LONG,
    help: "  --orig-port-src\t\toriginal source port
  --orig-port-dst\t\toriginal destination port
  --reply-port-src\t\treply source port
  --reply-port-dst\t\treply destination port
  --mask-port-src\t\tmask source port
  --mask-port-dst\t\tmask destination port
  --tuple-port-src\t\texpectation tuple src port
  --tuple-port-src\t\texpectation tuple dst port
  --state\t\t\tSCTP state, fe. ESTABLISHED
  --orig-vtag\t\toriginal verification tag
  --reply-vtag\t\treply verification tag
",
    names: &NAMES,
    legality,
    take,
    pairs: Some((PAIRS, PORT_PAIRS)),
    finish: no_completion,
};
