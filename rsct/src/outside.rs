//! Untrusted names: of namespaces, interfaces, tasks, policies, helpers and labels. They may hold any character, also
//! some that a terminal executes or that reverse the line.

use std::fmt;

use serde::{Serialize, Serializer};

/// An untrusted name. It is displayed with harmful characters escaped.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl Name {
    /// The name unescaped: to compare, and for formats that escape by themselves.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Name {
    fn from(name: String) -> Self {
        Self(name)
    }
}

impl Name {
    /// Appends the name as it is displayed.
    pub fn append(&self, out: &mut Vec<u8>) {
        if self.0.bytes().all(|byte| byte.is_ascii_graphic()) {
            out.extend_from_slice(self.0.as_bytes());
        } else {
            out.extend_from_slice(shown(self.0.as_bytes()).as_bytes());
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&shown(self.0.as_bytes()))
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Returns whether a character can change what a terminal shows: control characters, line and paragraph separators,
/// characters that change the direction of writing, and invisible ones.
pub(crate) fn is_harmful(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Escapes untrusted text for a terminal: harmful characters as `\u{1b}`, bytes that are not UTF-8 as `\xff`.
pub(crate) fn shown(text: &[u8]) -> String {
    let mut shown = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for char in chunk.valid().chars() {
            if is_harmful(char) {
                shown.extend(char.escape_unicode());
            } else {
                shown.push(char);
            }
        }
        for byte in chunk.invalid() {
            shown.extend(std::ascii::escape_default(*byte).map(char::from));
        }
    }
    shown
}

/// Escapes a message line by line: its line breaks stay.
pub(crate) fn shown_lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(|line| shown(line.as_bytes())).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn harmful_characters_are_escaped() {
        for (name, expected) in [
            ("red", "red"),
            ("größe 日本", "größe 日本"),
            ("a\x1b[31mb", "a\\u{1b}[31mb"),
            ("a\nb\tc\r", "a\\u{a}b\\u{9}c\\u{d}"),
            ("\u{9b}31m\u{7f}", "\\u{9b}31m\\u{7f}"),
            ("evil\u{202e}live", "evil\\u{202e}live"),
            ("\u{2066}a\u{2069}\u{200f}", "\\u{2066}a\\u{2069}\\u{200f}"),
            ("a\u{2028}b\u{feff}", "a\\u{2028}b\\u{feff}"),
        ] {
            assert_eq!(shown(name.as_bytes()), expected);
            assert_eq!(format!("{:9}|", Name(name.to_owned())), format!("{expected:9}|"));
        }
        assert_eq!(shown(b"a\xffb\x80"), "a\\xffb\\x80");
        assert_eq!(shown_lines("a\x1b\nb"), "a\\u{1b}\nb");
    }

    proptest! {
        #[test]
        fn no_harmful_character_is_left(text: Vec<u8>) {
            prop_assert!(!shown(&text).chars().any(is_harmful));
        }
    }
}
