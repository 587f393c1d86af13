//! DCCP.

use super::{
    Long, OptionTarget, Problem, ProtocolOptions, long, no_completion, port,
    ports::{self, PAIRS},
};
use crate::{
    conntrack::command::Command,
    names::{self, proto},
};

/// Number of states.
const STATES: u8 = 10;

const NAMES: [&str; 10] = [
    "sport",
    "dport",
    "reply-port-src",
    "reply-port-dst",
    "mask-port-src",
    "mask-port-dst",
    "state",
    "tuple-port-src",
    "tuple-port-dst",
    "role",
];

fn legality(command: Command) -> &'static [u8] {
    match command {
        Command::List | Command::Update | Command::Delete | Command::Event => b"2222002000",
        Command::Create | Command::Add => b"3333001001",
        Command::Get => b"3333002000",
        Command::ExpectCreate => b"1100110111",
        Command::ExpectDelete | Command::ExpectGet => b"1111000000",
        _ => b"0000000000",
    }
}

fn take(option: u8, value: &[u8], target: &mut OptionTarget, given: &mut u32) -> Result<(), Problem> {
    if !(1..=10).contains(&option) {
        return Ok(());
    }
    match option {
        7 => {
            let is_named =
                |state: &u8| names::state(proto::DCCP, *state).is_some_and(|n| n.as_bytes() == value);
            let unknown = || Problem::parameter_with("Unknown DCCP state `", value, "'");
            target.entry.protocol.dccp_state = Some((0..STATES).find(is_named).ok_or_else(unknown)?);
        }
        10 => {
            let begins = |role: &str| {
                role.as_bytes()
                    .get(..value.len())
                    .is_some_and(|begin| begin.eq_ignore_ascii_case(value))
            };
            let role = ["client", "server"].into_iter().position(begins);
            let unknown = || Problem::parameter_with("Unknown DCCP role `", value, "'");
            target.entry.protocol.dccp_role = Some(u8::from(role.ok_or_else(unknown)? == 1));
        }
        _ => {
            if let Some(which) = ports::of(option).or_else(|| ports::expected(option, 8)) {
                ports::set(which, port(value), proto::DCCP, target);
            }
        }
    }
    *given |= 1 << (option - 1);
    Ok(())
}

const LONG: [Long; 12] = [
    long("orig-port-src", 1),
    long("orig-port-dst", 2),
    long("reply-port-src", 3),
    long("reply-port-dst", 4),
    long("mask-port-src", 5),
    long("mask-port-dst", 6),
    long("state", 7),
    long("tuple-port-src", 8),
    long("tuple-port-dst", 9),
    long("sport", 1),
    long("dport", 2),
    long("role", 10),
];

pub(super) static DCCP: ProtocolOptions = ProtocolOptions {
    name: "dccp",
    number: proto::DCCP,
    long: &LONG,
    help: "  --orig-port-src\t\toriginal source port
  --orig-port-dst\t\toriginal destination port
  --reply-port-src\t\treply source port
  --reply-port-dst\t\treply destination port
  --mask-port-src\t\tmask source port
  --mask-port-dst\t\tmask destination port
  --tuple-port-src\t\texpectation tuple src port
  --tuple-port-src\t\texpectation tuple dst port
  --state\t\t\tDCCP state, fe. RESPOND
",
    names: &NAMES,
    legality,
    take,
    pairs: Some((
        PAIRS,
        [
            "`--sport' and `--dport'",
            "`--reply-port-src' and `--report-port-dst'",
        ],
    )),
    finish: no_completion,
};
