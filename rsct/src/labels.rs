//! Names of connection labels, from conntrack's `connlabel.conf`.
//!
//! A line is a bit's number and its name: `3 from-the-office`. Parsing follows libnetfilter_conntrack with all its
//! quirks, so that both tools resolve a name alike: invalid lines are skipped, and the first line for a bit or a name
//! wins.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use thiserror::Error;

/// The file that conntrack reads.
pub(crate) const DEFAULT_PATH: &str = "/etc/xtables/connlabel.conf";
/// The highest label that an entry can have (`XT_CONNLABEL_MAXBIT`).
pub const MAX_BIT: u16 = 127;
/// A file may name bits below this one, although entries have fewer.
const FILE_BITS: usize = 1024;
/// Lines are read in pieces of this many bytes; each piece counts as a line.
const LINE_BYTES: usize = 1023;
/// Far more than all possible names.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// Error in reading the names.
#[derive(Debug, Error)]
pub enum LabelError {
    /// The file cannot be read.
    #[error("reading the label names in {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// The file is no list of names.
    #[error(
        "reading the label names in {path}: the file is larger than 4 MiB, which is too large for label names"
    )]
    TooLarge {
        /// The file.
        path: String,
    },
}

/// Label names and their bits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelMap {
    /// By bit; up to the highest with a name.
    names: Vec<Option<Box<str>>>,
}

impl LabelMap {
    /// Reads the given file, or else conntrack's.
    pub fn load(path: Option<&Path>) -> Result<Self, LabelError> {
        let path = path.unwrap_or(Path::new(DEFAULT_PATH));
        let named = || path.display().to_string();
        let mut text = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut text))
            .map_err(|source| LabelError::Read {
                path: named(),
                source,
            })?;
        if text.len() as u64 > MAX_FILE_BYTES {
            return Err(LabelError::TooLarge { path: named() });
        }
        Ok(Self::parse(&text))
    }

    /// Reads conntrack's file, for output that is valid without names too: no names if it cannot be read.
    pub fn load_default() -> Self {
        Self::load(None).unwrap_or_default()
    }

    /// Parses a file's content.
    pub fn parse(text: &[u8]) -> Self {
        let mut map = Self::default();
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            for piece in line.chunks(LINE_BYTES) {
                if let Some((bit, name)) = parse_line(piece)
                    && map.name(bit).is_none()
                    && map.bit(name).is_none()
                {
                    map.insert(bit, name);
                }
            }
        }
        map
    }

    /// A bit's name.
    pub fn name(&self, bit: impl Into<u32>) -> Option<&str> {
        self.names.get(bit.into() as usize)?.as_deref()
    }

    /// The bit with this name.
    pub fn bit(&self, name: &str) -> Option<u16> {
        let index = self.names.iter().position(|n| n.as_deref() == Some(name))?;
        u16::try_from(index).ok()
    }

    /// The bit for typed text: a name, or else a number. (conntrack accepts only names.)
    pub fn find(&self, typed: &str) -> Option<u16> {
        self.bit(typed).or_else(|| number(typed))
    }

    /// The text from which [`find`](Self::find) returns a bit: its name, or else its number, with leading zeros if the
    /// number is another label's name.
    pub fn word(&self, bit: u16) -> String {
        if let Some(name) = self.name(bit) {
            return name.to_owned();
        }
        let mut word = bit.to_string();
        while self.bit(&word).is_some() {
            word.insert(0, '0');
        }
        word
    }

    /// Returns whether there is no name; conntrack treats such a file as missing.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn insert(&mut self, bit: u16, name: &str) {
        let index = usize::from(bit);
        if self.names.len() <= index {
            self.names.resize(index + 1, None);
        }
        self.names[index] = Some(name.into());
    }
}

/// A label's decimal number.
fn number(typed: &str) -> Option<u16> {
    let digits = !typed.is_empty() && typed.bytes().all(|byte| byte.is_ascii_digit());
    typed.parse().ok().filter(|bit| digits && *bit <= MAX_BIT)
}

/// Parses one line: a number and a name.
fn parse_line(line: &[u8]) -> Option<(u16, &str)> {
    // C strings end at a zero byte.
    let line = line.split(|byte| *byte == 0).next()?;
    if line.first() == Some(&b'#') {
        return None;
    }
    let (bit, rest) = strtoul(line)?;
    let bit = u16::try_from(bit)
        .ok()
        .filter(|bit| usize::from(*bit) < FILE_BITS)?;
    let rest = skip(rest, is_blank);
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let mut name = &rest[..end];
    while let [before @ .., last] = name
        && is_blank(*last)
    {
        name = before;
    }
    let sane = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-');
    let name = std::str::from_utf8(name).ok()?;
    (!name.is_empty() && name.as_bytes().iter().all(sane)).then_some((bit, name))
}

/// A blank around a name.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | 0x0b | 0x0c)
}

/// The rest after the leading bytes that match.
fn skip(text: &[u8], drop: impl Fn(u8) -> bool) -> &[u8] {
    let start = text.iter().position(|byte| !drop(*byte)).unwrap_or(text.len());
    &text[start..]
}

/// C's `strtoul` with base 0: decimal, octal after `0`, hexadecimal after `0x`, with a sign; saturates. Returns the
/// number and the text after it; `None` without a digit.
fn strtoul(text: &[u8]) -> Option<(u64, &[u8])> {
    let text = skip(text, |byte| is_blank(byte) || byte == b'\n');
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let (base, digits) = match text {
        [b'0', b'x' | b'X', digit, ..] if digit.is_ascii_hexdigit() => (16, &text[2..]),
        [b'0', ..] => (8, text),
        _ => (10, text),
    };
    let mut value = Some(0u64);
    let mut length = 0;
    for digit in digits.iter().map_while(|byte| char::from(*byte).to_digit(base)) {
        value = value.and_then(|v| v.checked_mul(base.into())?.checked_add(digit.into()));
        length += 1;
    }
    if length == 0 {
        return None;
    }
    let value = match value {
        Some(value) if negative => value.wrapping_neg(),
        Some(value) => value,
        None => u64::MAX,
    };
    Some((value, &digits[length..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lines_are_parsed_as_by_conntrack() {
        let text = b"# bits and names\n3\tfrom-the-office \n0x40  night shift\r\n010 octal\n 5 five\n6six\n\
            200 beyond-the-kernel\n";
        let map = LabelMap::parse(text);
        for (bit, name) in [
            (3u16, "from-the-office"),
            (64, "night shift"),
            (8, "octal"),
            (5, "five"),
            (6, "six"),
            (200, "beyond-the-kernel"),
        ] {
            assert_eq!(map.name(bit), Some(name));
            assert_eq!(map.bit(name), Some(bit));
        }
        assert_eq!(map.names.iter().flatten().count(), 6);
    }

    #[test]
    fn invalid_lines_are_skipped() {
        for line in [
            "",
            "#3 x",
            "x 3",
            "3",
            "3 ",
            "1024 x",
            "-1 x",
            "99999999999999999999 x",
            "3 a_b",
            "3 a,b",
            "3 \u{e4}",
            " # 3 x",
            "3\0x",
        ] {
            let map = LabelMap::parse(line.as_bytes());
            assert!(map.is_empty(), "{line:?}: {map:?}");
        }
        // C strings end at a zero byte.
        assert_eq!(LabelMap::parse(b"3 a\0,").name(3u16), Some("a"));
    }

    #[test]
    fn the_first_line_for_a_bit_or_a_name_wins() {
        let map = LabelMap::parse(b"1 a\n1 b\n2 a\n2 c\n");
        assert_eq!((map.name(1u16), map.name(2u16)), (Some("a"), Some("c")));
        assert_eq!(map.bit("b"), None);
    }

    #[test]
    fn a_long_line_is_read_in_pieces() {
        let line = format!("1 {}7 seven\n", "a".repeat(LINE_BYTES - 2));
        let map = LabelMap::parse(line.as_bytes());
        assert_eq!(map.name(1u16).map(str::len), Some(LINE_BYTES - 2));
        assert_eq!(map.bit("seven"), Some(7));
    }

    #[test]
    fn a_label_is_found_by_name_before_number() {
        let map = LabelMap::parse(b"1 office\n2 77\n3 077\n");
        assert_eq!((map.find("office"), map.find("1")), (Some(1), Some(1)));
        assert_eq!((map.find("77"), map.find("127")), (Some(2), Some(127)));
        for wrong in ["128", "", "+1", "0x1", "nobody"] {
            assert_eq!(map.find(wrong), None, "{wrong}");
        }
        assert_eq!((map.word(1), map.word(9)), ("office".into(), "9".into()));
        assert_eq!(map.word(77), "0077");
        assert_eq!(map.find("0077"), Some(77));
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error_with_its_path() {
        let error = LabelMap::load(Some(Path::new("/no/such/file"))).unwrap_err();
        assert!(error.to_string().contains("/no/such/file"), "{error}");
        let error = LabelMap::load(Some(Path::new("/dev/zero"))).unwrap_err();
        assert!(matches!(error, LabelError::TooLarge { .. }), "{error}");
    }

    proptest! {
        #[test]
        fn any_file_is_parsed(text: Vec<u8>) {
            let map = LabelMap::parse(&text);
            for bit in 0..=MAX_BIT {
                prop_assert_eq!(map.find(&map.word(bit)), Some(bit));
            }
        }

        #[test]
        fn every_word_finds_its_label(names in prop::collection::btree_map(0u16..1024, "[a-zA-Z-][a-zA-Z0-9 -]{0,20}[a-z]", 0..40)) {
            let mut seen = std::collections::HashSet::new();
            let text: String = names.iter().map(|(bit, name)| format!("{bit} {name}\n")).collect();
            let map = LabelMap::parse(text.as_bytes());
            for (bit, name) in &names {
                if seen.insert(name) {
                    prop_assert_eq!(map.bit(name), Some(*bit));
                    prop_assert_eq!(map.name(*bit), Some(name.as_str()));
                }
            }
        }
    }
}
