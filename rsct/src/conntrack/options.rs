//! The options that do not depend on a protocol.

use super::{
    command::Command,
    getopt::{Long, Takes},
    problem::Problem,
};

/// An option, numbered by its column in [`Command::legality`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Opt {
    /// `--src`.
    OrigSrc,
    /// `--dst`.
    OrigDst,
    /// `--reply-src`.
    ReplSrc,
    /// `--reply-dst`.
    ReplDst,
    /// `--protonum`.
    Proto,
    /// `--timeout`.
    Timeout,
    /// `--status`.
    Status,
    /// `--zero`.
    Zero,
    /// `--event-mask`.
    EventMask,
    /// `--tuple-src`.
    TupleSrc,
    /// `--tuple-dst`.
    TupleDst,
    /// `--mask-src`.
    MaskSrc,
    /// `--mask-dst`.
    MaskDst,
    /// `--mark`. The column before it belonged to `--nat-range`, which is ignored.
    Mark = 14,
    /// `--id`.
    Id,
    /// `--family`.
    Family,
    /// `--src-nat`.
    SrcNat,
    /// `--dst-nat`.
    DstNat,
    /// `--output`.
    Output,
    /// `--secmark`.
    Secmark,
    /// `--buffer-size`.
    BufferSize,
    /// `--any-nat`.
    AnyNat,
    /// `--zone`.
    Zone,
    /// `--label`.
    Label,
    /// `--label-add`.
    LabelAdd,
    /// `--label-del`.
    LabelDel,
    /// `--orig-zone`.
    OrigZone,
    /// `--reply-zone`.
    ReplZone,
    /// `--labelmap`.
    LabelMap,
}

/// The names of the options in error messages.
const NAMES: [&str; 30] = [
    "src",
    "dst",
    "reply-src",
    "reply-dst",
    "protonum",
    "timeout",
    "status",
    "zero",
    "event-mask",
    "tuple-src",
    "tuple-dst",
    "mask-src",
    "mask-dst",
    "nat-range",
    "mark",
    "id",
    "family",
    "src-nat",
    "dst-nat",
    "output",
    "secmark",
    "buffer-size",
    "any-nat",
    "zone",
    "label",
    "label-add",
    "label-del",
    "orig-zone",
    "reply-zone",
    "labelmap",
];

/// A set of options.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Given(u32);

impl Given {
    /// The set of these options.
    pub(super) const fn of(options: &[Opt]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < options.len() {
            bits |= 1 << options[index] as u8;
            index += 1;
        }
        Self(bits)
    }

    /// Adds an option.
    pub(super) fn add(&mut self, option: Opt) {
        self.0 |= 1 << option as u8;
    }

    /// Returns whether the option is present.
    pub(super) fn has(self, option: Opt) -> bool {
        self.0 & (1 << option as u8) != 0
    }

    /// Returns whether any option of a set is present.
    pub(super) fn has_any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }

    /// Rejects options that the command forbids or lacks.
    pub(super) fn check(self, command: Command) -> Result<(), Problem> {
        let pairs = [
            Self::of(&[Opt::OrigSrc, Opt::OrigDst]).0,
            Self::of(&[Opt::ReplSrc, Opt::ReplDst]).0,
        ];
        match check(self.0, command.legality(), &NAMES, &pairs)? {
            None => Ok(()),
            Some(1) => Err(Problem::parameter(
                "you have to specify `--reply-src' and `--reply-dst'",
            )),
            Some(_) => Err(Problem::parameter("you have to specify `--src' and `--dst'")),
        }
    }
}

/// Checks a set of options against a row of legality. If the row requires one of two pairs and neither is whole, the
/// message names the pair that was begun, or else the first.
pub(super) fn check(
    given: u32,
    legality: &[u8],
    names: &[&str],
    pairs: &[u32],
) -> Result<Option<usize>, Problem> {
    for (index, (legal, name)) in legality.iter().zip(names).enumerate() {
        let is_given = given & (1 << index) != 0;
        if *legal == b'1' && !is_given {
            return Err(Problem::parameter(format!(
                "You need to supply the `--{name}' option for this command"
            )));
        }
        if *legal == b'0' && is_given {
            return Err(Problem::parameter(format!(
                "Illegal option `--{name}' with this command"
            )));
        }
    }
    let is_whole = |pair: &u32| given & pair == *pair;
    if !legality.contains(&b'3') || pairs.iter().any(is_whole) {
        return Ok(None);
    }
    let begun = pairs.iter().position(|pair| given & pair != 0);
    Ok(Some(begun.unwrap_or(0)))
}

const fn long(name: &'static str, takes: Takes, letter: u8) -> Long {
    Long {
        name,
        takes,
        value: letter as i32,
    }
}

/// Every long option except the protocols', in conntrack's order: messages use the first of several names.
pub(super) const LONG: [Long; 44] = [
    long("dump", Takes::Perhaps, b'L'),
    long("create", Takes::Perhaps, b'I'),
    long("add", Takes::Perhaps, b'A'),
    long("delete", Takes::Perhaps, b'D'),
    long("update", Takes::Perhaps, b'U'),
    long("get", Takes::Perhaps, b'G'),
    long("flush", Takes::Perhaps, b'F'),
    long("event", Takes::Perhaps, b'E'),
    long("counter", Takes::Perhaps, b'C'),
    long("stats", Takes::Nothing, b'S'),
    long("version", Takes::Nothing, b'V'),
    long("help", Takes::Nothing, b'h'),
    long("orig-src", Takes::Value, b's'),
    long("src", Takes::Value, b's'),
    long("orig-dst", Takes::Value, b'd'),
    long("dst", Takes::Value, b'd'),
    long("reply-src", Takes::Value, b'r'),
    long("reply-dst", Takes::Value, b'q'),
    long("protonum", Takes::Value, b'p'),
    long("timeout", Takes::Value, b't'),
    long("status", Takes::Value, b'u'),
    long("zero", Takes::Nothing, b'z'),
    long("event-mask", Takes::Value, b'e'),
    long("tuple-src", Takes::Value, b'['),
    long("tuple-dst", Takes::Value, b']'),
    long("mask-src", Takes::Value, b'{'),
    long("mask-dst", Takes::Value, b'}'),
    long("nat-range", Takes::Value, b'a'),
    long("mark", Takes::Value, b'm'),
    long("secmark", Takes::Value, b'c'),
    long("id", Takes::Value, b'i'),
    long("family", Takes::Value, b'f'),
    long("src-nat", Takes::Perhaps, b'n'),
    long("dst-nat", Takes::Perhaps, b'g'),
    long("output", Takes::Value, b'o'),
    long("buffer-size", Takes::Value, b'b'),
    long("any-nat", Takes::Perhaps, b'j'),
    long("zone", Takes::Value, b'w'),
    long("label", Takes::Value, b'l'),
    long("labelmap", Takes::Value, b'M'),
    long("label-add", Takes::Value, b'<'),
    long("label-del", Takes::Perhaps, b'>'),
    long("orig-zone", Takes::Value, b'('),
    long("reply-zone", Takes::Value, b')'),
];

/// Every short option.
pub(super) const SHORT: &[(u8, Takes)] = &[
    (b'L', Takes::Perhaps),
    (b'I', Takes::Perhaps),
    (b'U', Takes::Perhaps),
    (b'D', Takes::Perhaps),
    (b'G', Takes::Perhaps),
    (b'E', Takes::Perhaps),
    (b'F', Takes::Perhaps),
    (b'A', Takes::Perhaps),
    (b'h', Takes::Nothing),
    (b'V', Takes::Nothing),
    (b's', Takes::Value),
    (b'd', Takes::Value),
    (b'r', Takes::Value),
    (b'q', Takes::Value),
    (b'p', Takes::Value),
    (b't', Takes::Value),
    (b'u', Takes::Value),
    (b'e', Takes::Value),
    (b'a', Takes::Value),
    (b'z', Takes::Nothing),
    (b'[', Takes::Value),
    (b']', Takes::Value),
    (b'{', Takes::Value),
    (b'}', Takes::Value),
    (b'm', Takes::Value),
    (b'i', Takes::Value),
    (b'f', Takes::Value),
    (b'o', Takes::Value),
    (b'n', Takes::Perhaps),
    (b'g', Takes::Perhaps),
    (b'c', Takes::Value),
    (b'b', Takes::Value),
    (b'C', Takes::Perhaps),
    (b'S', Takes::Nothing),
    (b'j', Takes::Perhaps),
    (b'w', Takes::Value),
    (b'l', Takes::Value),
    (b'<', Takes::Value),
    (b'>', Takes::Perhaps),
    (b'(', Takes::Value),
    (b')', Takes::Value),
    (b'M', Takes::Value),
];
