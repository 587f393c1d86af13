//! GRE, which has keys in place of ports.

use super::{
    Long, OptionTarget, Problem, ProtocolOptions, long, no_completion,
    ports::{self, PAIRS},
    strtoul,
};
use crate::{conntrack::command::Command, names::proto};

const NAMES: [&str; 8] = [
    "srckey",
    "dstkey",
    "reply-key-src",
    "reply-key-dst",
    "mask-key-src",
    "mask-key-dst",
    "tuple-key-src",
    "tuple-key-dst",
];

fn legality(command: Command) -> &'static [u8] {
    match command {
        Command::List | Command::Update | Command::Delete | Command::Event => b"22220000",
        Command::Create | Command::Add | Command::Get => b"33330000",
        Command::ExpectCreate => b"11111111",
        Command::ExpectDelete | Command::ExpectGet => b"11110000",
        _ => b"00000000",
    }
}

fn take(option: u8, value: &[u8], target: &mut OptionTarget, given: &mut u32) -> Result<(), Problem> {
    let Some(number @ 1..=8) = option.checked_sub(b'0') else {
        return Ok(());
    };
    if let Some(which) = ports::of(number).or_else(|| ports::expected(number, 7)) {
        ports::set(which, strtoul(value, 0).0 as u16, proto::GRE, target);
        *given |= 1 << (number - 1);
    }
    Ok(())
}

const LONG: [Long; 10] = [
    long("orig-key-src", b'1'),
    long("srckey", b'1'),
    long("orig-key-dst", b'2'),
    long("dstkey", b'2'),
    long("reply-key-src", b'3'),
    long("reply-key-dst", b'4'),
    long("mask-key-src", b'5'),
    long("mask-key-dst", b'6'),
    long("tuple-key-src", b'7'),
    long("tuple-key-dst", b'8'),
];

pub(super) static GRE: ProtocolOptions = ProtocolOptions {
    name: "gre",
    number: proto::GRE,
    long: &LONG,
    help: "  --orig-key-src\t\toriginal source key
  --orig-key-dst\t\toriginal destination key
  --reply-key-src\t\treply source key
  --reply-key-dst\t\treply destination key
  --mask-key-src\t\tmask source key
  --mask-key-dst\t\tmask destination key
  --tuple-key-src\t\texpectation tuple src key
  --tuple-key-src\t\texpectation tuple dst key
",
    names: &NAMES,
    legality,
    take,
    pairs: Some((
        PAIRS,
        [
            "`--srckey' and `--dstkey'",
            "`--reply-src-key' and `--reply-dst-key'",
        ],
    )),
    finish: no_completion,
};
