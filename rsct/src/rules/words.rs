//! Quoting: splits the output of iptables and nft into words, and quotes words for a shell.

/// A word; `quoted` is true if it was in quotation marks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) quoted: bool,
}

/// Splits a line of `iptables -S`: in quotation marks, a backslash escapes a quotation mark, an apostrophe or
/// another backslash.
pub(super) fn of_iptables(line: &str) -> Vec<String> {
    let words = split(line, true);
    words.into_iter().map(|word| word.text).collect()
}

/// Splits a line of nft, in which quotation marks cannot be escaped.
pub(super) fn of_nft(line: &str) -> Vec<Word> {
    split(line, false)
}

fn split(line: &str, backslash_escapes: bool) -> Vec<Word> {
    let mut words = Vec::new();
    let mut chars = line.chars().peekable();
    while let Some(&first) = chars.peek() {
        if first.is_ascii_whitespace() {
            chars.next();
            continue;
        }
        let mut word = Word {
            text: String::new(),
            quoted: first == '"',
        };
        let mut inside = false;
        while let Some(&next) = chars.peek() {
            if next.is_ascii_whitespace() && !inside {
                break;
            }
            chars.next();
            match next {
                '"' => inside = !inside,
                '\\' if backslash_escapes && inside => word.text.extend(chars.next()),
                other => word.text.push(other),
            }
        }
        words.push(word);
    }
    words
}

/// Quotes a word for a shell, if necessary.
pub(super) fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,+@%".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Quotes as libxtables' xtables_save_string() does.
    fn saved(text: &str) -> String {
        let mut saved = String::from("\"");
        for c in text.chars() {
            if "\"\\'".contains(c) {
                saved.push('\\');
            }
            saved.push(c);
        }
        saved + "\""
    }

    proptest! {
        #[test]
        fn iptables_quoting_is_reversed(text in "[^\n\0]{0,40}") {
            let line = format!("-A X --comment {} -j CT", saved(&text));
            prop_assert_eq!(of_iptables(&line), ["-A", "X", "--comment", &text, "-j", "CT"]);
        }

        #[test]
        fn any_line_is_read(line in ".*") {
            of_iptables(&line);
            of_nft(&line);
        }
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(quoted("--dport"), "--dport");
        assert_eq!(quoted("rsct timeout x"), "'rsct timeout x'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn nft_escapes_nothing() {
        let words = of_nft("\tct timeout set \"a\\b\" comment \"x y\" # handle 4");
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let expected = [
            "ct", "timeout", "set", "a\\b", "comment", "x y", "#", "handle", "4",
        ];
        assert_eq!(texts, expected);
        assert!(words[3].quoted && words[5].quoted && !words[4].quoted);
    }
}
