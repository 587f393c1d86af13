//! The options that do not depend on a protocol.

use super::{
    command::Command,
    getopt::{Long, OptionArgument},
    problem::Problem,
};

/// An option, numbered by its column in [`Command::legality`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum CtOption {
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
pub(super) struct OptionSet(u32);

impl OptionSet {
    /// The set of these options.
    pub(super) const fn of(options: &[CtOption]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < options.len() {
            bits |= 1 << options[index] as u8;
            index += 1;
        }
        Self(bits)
    }

    /// Adds an option.
    pub(super) fn add(&mut self, option: CtOption) {
        self.0 |= 1 << option as u8;
    }

    /// Returns whether the option is present.
    pub(super) fn has(self, option: CtOption) -> bool {
        self.0 & (1 << option as u8) != 0
    }

    /// Returns whether any option of a set is present.
    pub(super) fn has_any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }

    /// Rejects options that the command forbids or lacks.
    pub(super) fn check(self, command: Command) -> Result<(), Problem> {
        let pairs = [
            Self::of(&[CtOption::OrigSrc, CtOption::OrigDst]).0,
            Self::of(&[CtOption::ReplSrc, CtOption::ReplDst]).0,
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

const fn long(name: &'static str, argument: OptionArgument, letter: u8) -> Long {
    Long {
        name,
        argument,
        value: letter as i32,
    }
}

/// Every long option except the protocols', in conntrack's order: messages use the first of several names.
pub(super) const LONG: [Long; 44] = [
    long("dump", OptionArgument::Optional, b'L'),
    long("create", OptionArgument::Optional, b'I'),
    long("add", OptionArgument::Optional, b'A'),
    long("delete", OptionArgument::Optional, b'D'),
    long("update", OptionArgument::Optional, b'U'),
    long("get", OptionArgument::Optional, b'G'),
    long("flush", OptionArgument::Optional, b'F'),
    long("event", OptionArgument::Optional, b'E'),
    long("counter", OptionArgument::Optional, b'C'),
    long("stats", OptionArgument::None, b'S'),
    long("version", OptionArgument::None, b'V'),
    long("help", OptionArgument::None, b'h'),
    long("orig-src", OptionArgument::Required, b's'),
    long("src", OptionArgument::Required, b's'),
    long("orig-dst", OptionArgument::Required, b'd'),
    long("dst", OptionArgument::Required, b'd'),
    long("reply-src", OptionArgument::Required, b'r'),
    long("reply-dst", OptionArgument::Required, b'q'),
    long("protonum", OptionArgument::Required, b'p'),
    long("timeout", OptionArgument::Required, b't'),
    long("status", OptionArgument::Required, b'u'),
    long("zero", OptionArgument::None, b'z'),
    long("event-mask", OptionArgument::Required, b'e'),
    long("tuple-src", OptionArgument::Required, b'['),
    long("tuple-dst", OptionArgument::Required, b']'),
    long("mask-src", OptionArgument::Required, b'{'),
    long("mask-dst", OptionArgument::Required, b'}'),
    long("nat-range", OptionArgument::Required, b'a'),
    long("mark", OptionArgument::Required, b'm'),
    long("secmark", OptionArgument::Required, b'c'),
    long("id", OptionArgument::Required, b'i'),
    long("family", OptionArgument::Required, b'f'),
    long("src-nat", OptionArgument::Optional, b'n'),
    long("dst-nat", OptionArgument::Optional, b'g'),
    long("output", OptionArgument::Required, b'o'),
    long("buffer-size", OptionArgument::Required, b'b'),
    long("any-nat", OptionArgument::Optional, b'j'),
    long("zone", OptionArgument::Required, b'w'),
    long("label", OptionArgument::Required, b'l'),
    long("labelmap", OptionArgument::Required, b'M'),
    long("label-add", OptionArgument::Required, b'<'),
    long("label-del", OptionArgument::Optional, b'>'),
    long("orig-zone", OptionArgument::Required, b'('),
    long("reply-zone", OptionArgument::Required, b')'),
];

/// Every short option.
pub(super) const SHORT: &[(u8, OptionArgument)] = &[
    (b'L', OptionArgument::Optional),
    (b'I', OptionArgument::Optional),
    (b'U', OptionArgument::Optional),
    (b'D', OptionArgument::Optional),
    (b'G', OptionArgument::Optional),
    (b'E', OptionArgument::Optional),
    (b'F', OptionArgument::Optional),
    (b'A', OptionArgument::Optional),
    (b'h', OptionArgument::None),
    (b'V', OptionArgument::None),
    (b's', OptionArgument::Required),
    (b'd', OptionArgument::Required),
    (b'r', OptionArgument::Required),
    (b'q', OptionArgument::Required),
    (b'p', OptionArgument::Required),
    (b't', OptionArgument::Required),
    (b'u', OptionArgument::Required),
    (b'e', OptionArgument::Required),
    (b'a', OptionArgument::Required),
    (b'z', OptionArgument::None),
    (b'[', OptionArgument::Required),
    (b']', OptionArgument::Required),
    (b'{', OptionArgument::Required),
    (b'}', OptionArgument::Required),
    (b'm', OptionArgument::Required),
    (b'i', OptionArgument::Required),
    (b'f', OptionArgument::Required),
    (b'o', OptionArgument::Required),
    (b'n', OptionArgument::Optional),
    (b'g', OptionArgument::Optional),
    (b'c', OptionArgument::Required),
    (b'b', OptionArgument::Required),
    (b'C', OptionArgument::Optional),
    (b'S', OptionArgument::None),
    (b'j', OptionArgument::Optional),
    (b'w', OptionArgument::Required),
    (b'l', OptionArgument::Required),
    (b'<', OptionArgument::Required),
    (b'>', OptionArgument::Optional),
    (b'(', OptionArgument::Required),
    (b')', OptionArgument::Required),
    (b'M', OptionArgument::Required),
];
