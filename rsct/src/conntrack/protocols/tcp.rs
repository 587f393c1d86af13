//! TCP.

use super::{
    Long, OptionTarget, PORT_PAIRS, Problem, ProtocolOptions, long, port,
    ports::{self, PAIRS},
};
use crate::{
    conntrack::{command::Command, object::TypedEntry},
    names::{self, proto},
};

// include/uapi/linux/netfilter/nf_conntrack_tcp.h.
const FLAG_SACK_PERM: u8 = 0x02;
const FLAG_CLOSE_INIT: u8 = 0x04;
const FLAG_BE_LIBERAL: u8 = 0x08;
const TIME_WAIT: u8 = 7;
/// The name before Linux 2.6.31 of the state SYN_SENT2.
const LISTEN: u8 = 9;
/// Number of states.
const STATES: u8 = 10;

/// The names of the options in error messages.
pub(super) const NAMES: [&str; 9] = [
    "sport",
    "dport",
    "reply-port-src",
    "reply-port-dst",
    "mask-port-src",
    "mask-port-dst",
    "state",
    "tuple-port-src",
    "tuple-port-dst",
];

fn legality(command: Command) -> &'static [u8] {
    match command {
        Command::List | Command::Update | Command::Delete | Command::Event => b"222200200",
        Command::Create | Command::Add => b"333300100",
        Command::Get => b"333300200",
        Command::ExpectCreate => b"110011011",
        Command::ExpectDelete | Command::ExpectGet => b"111100000",
        _ => b"000000000",
    }
}

fn take(option: u8, value: &[u8], target: &mut OptionTarget, given: &mut u32) -> Result<(), Problem> {
    let Some(number @ 1..=9) = option.checked_sub(b'0') else {
        return Ok(());
    };
    if number == 7 {
        let is_named = |state: &u8| names::state(proto::TCP, *state).is_some_and(|n| n.as_bytes() == value);
        let state = match value {
            b"LISTEN" => Some(LISTEN),
            _ => (0..STATES).find(is_named),
        };
        let unknown = || Problem::parameter_with("unknown TCP state `", value, "'");
        target.entry.protocol.tcp_state = Some(state.ok_or_else(unknown)?);
    } else if let Some(which) = ports::of(number).or_else(|| ports::expected(number, 8)) {
        ports::set(which, port(value), proto::TCP, target);
    }
    *given |= 1 << (number - 1);
    Ok(())
}

/// A command line knows no TCP windows, so window tracking is liberal for the entry; and a connection may be reopened
/// directly from TIME_WAIT.
fn finish(entry: &mut TypedEntry) {
    let is_over = entry.protocol.tcp_state.is_some_and(|state| state >= TIME_WAIT);
    let close_init = if is_over { FLAG_CLOSE_INIT } else { 0 };
    entry.protocol.tcp_flags = Some(FLAG_BE_LIBERAL | FLAG_SACK_PERM | close_init);
}

const LONG: [Long; 11] = [
    long("orig-port-src", b'1'),
    long("sport", b'1'),
    long("orig-port-dst", b'2'),
    long("dport", b'2'),
    long("reply-port-src", b'3'),
    long("reply-port-dst", b'4'),
    long("mask-port-src", b'5'),
    long("mask-port-dst", b'6'),
    long("state", b'7'),
    long("tuple-port-src", b'8'),
    long("tuple-port-dst", b'9'),
];

pub(super) static TCP: ProtocolOptions = ProtocolOptions {
    name: "tcp",
    number: proto::TCP,
    long: &LONG,
    help: "  --orig-port-src\t\toriginal source port
  --orig-port-dst\t\toriginal destination port
  --reply-port-src\t\treply source port
  --reply-port-dst\t\treply destination port
  --mask-port-src\t\tmask source port
  --mask-port-dst\t\tmask destination port
  --tuple-port-src\t\texpectation tuple src port
  --tuple-port-src\t\texpectation tuple dst port
  --state\t\t\tTCP state, fe. ESTABLISHED
",
    names: &NAMES,
    legality,
    take,
    pairs: Some((PAIRS, PORT_PAIRS)),
    finish,
};
