//! Splitting of a line into words at blanks. Quotation marks keep blanks, and a backslash within them escapes the next
//! character.

use std::borrow::Cow;

use super::LineError;

/// The words of a line, as an iterator.
#[derive(Clone, Debug)]
pub(super) struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    pub(super) fn of(line: &'a str) -> Self {
        Self { rest: line }
    }

    /// The next word if it is a value; leaves a word that begins with a dash.
    pub(super) fn next_value(&mut self) -> Result<Option<Cow<'a, str>>, LineError> {
        let mut ahead = self.clone();
        match ahead.next_word()? {
            Some(word) if !word.starts_with('-') => {
                *self = ahead;
                Ok(Some(word))
            }
            _ => Ok(None),
        }
    }

    /// The next word.
    #[inline]
    pub(super) fn next_word(&mut self) -> Result<Option<Cow<'a, str>>, LineError> {
        let bytes = self.rest.as_bytes();
        let Some(begin) = bytes.iter().position(|byte| !is_blank(*byte)) else {
            self.rest = "";
            return Ok(None);
        };
        let length = bytes[begin..]
            .iter()
            .position(|byte| is_blank(*byte) || *byte == b'"')
            .unwrap_or(bytes.len() - begin);
        let end = begin + length;
        if bytes.get(end) == Some(&b'"') {
            return self.quoted(begin).map(Some);
        }
        let word = &self.rest[begin..end];
        self.rest = &self.rest[end..];
        Ok(Some(Cow::Borrowed(word)))
    }

    /// A word with quotation marks in it.
    #[cold]
    fn quoted(&mut self, begin: usize) -> Result<Cow<'a, str>, LineError> {
        let mut word = String::new();
        let (mut within, mut escaped) = (false, false);
        let mut end = self.rest.len();
        for (at, character) in self.rest[begin..].char_indices() {
            match character {
                _ if escaped => {
                    word.push(character);
                    escaped = false;
                }
                '\\' if within => escaped = true,
                '"' => within = !within,
                ' ' | '\t' | '\r' if !within => {
                    end = begin + at;
                    break;
                }
                _ => word.push(character),
            }
        }
        if within {
            return Err(LineError::OpenQuote);
        }
        self.rest = &self.rest[end..];
        Ok(Cow::Owned(word))
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Result<Vec<String>, LineError> {
        let mut words = Words::of(line);
        let mut all = Vec::new();
        while let Some(word) = words.next_word()? {
            all.push(word.into_owned());
        }
        Ok(all)
    }

    #[test]
    fn words_are_split_at_blanks_outside_of_quotes() {
        assert_eq!(words("  -A\t-p  tcp \r").unwrap(), ["-A", "-p", "tcp"]);
        assert_eq!(
            words(r#"-l "night shift,a \"b\"" --x=" y"z"#).unwrap(),
            ["-l", r#"night shift,a "b""#, "--x= yz"]
        );
        assert_eq!(words(r#""""#).unwrap(), [""]);
        assert_eq!(words(" \t").unwrap(), [""; 0]);
    }

    #[test]
    fn a_quote_that_stays_open_is_an_error() {
        for line in [r#"-l "a"#, r#"""#, r#""\""#] {
            assert_eq!(words(line), Err(LineError::OpenQuote), "{line}");
        }
    }
}
