//! A paragraph of text, and the avoided words in it.

use super::list::{ALLOWED, AVOIDED, OPENINGS};

/// Replaces text in which no word counts: neither part of a word nor a space.
const MASK: char = '`';

/// An avoided word.
#[derive(Debug, PartialEq)]
pub struct Hit {
    /// Its line in the file, from 1.
    pub line: usize,
    /// As it is written there.
    pub word: String,
    /// Its replacement.
    pub write: &'static str,
}

/// Lines of text that are read as one, so that a phrase is found across the end of a line.
#[derive(Default)]
pub struct Paragraph {
    text: String,
    /// Offset in `text` and number of each line.
    lines: Vec<(usize, usize)>,
}

impl Paragraph {
    /// Appends a line.
    pub fn push(&mut self, number: usize, line: &str) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.lines.push((self.text.len(), number));
        self.text.push_str(line.trim());
    }

    /// Returns its avoided words in the order in which they stand.
    pub fn hits(&self) -> Vec<Hit> {
        let text = without_allowed(&without_code(&self.text));
        let lower = text.to_ascii_lowercase();
        let mut found = Vec::new();
        for (offset, word) in words(&text) {
            let rest = &text[offset..];
            for (avoided, write) in AVOIDED {
                if starts_with_phrase(&lower[offset..], avoided) {
                    found.push((offset, &rest[..avoided.len()], *write));
                }
            }
            for (opening, write) in OPENINGS {
                if opens_sentence(&text[..offset]) && starts_with_phrase(rest, opening) && !is_question(rest)
                {
                    found.push((offset, word, *write));
                }
            }
        }
        let hit = |(offset, word, write): (usize, &str, &'static str)| Hit {
            line: self.line_at(offset),
            word: word.to_owned(),
            write,
        };
        found.into_iter().map(hit).collect()
    }

    fn line_at(&self, offset: usize) -> usize {
        let before = self.lines.iter().rev().find(|(start, _)| *start <= offset);
        before.map_or(0, |(_, number)| *number)
    }
}

/// Masks `code spans`, which may hold several words.
fn without_code(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('`') {
        let ticks = rest[start..].len() - rest[start..].trim_start_matches('`').len();
        let fence = &rest[start..start + ticks];
        let Some(length) = rest[start + ticks..].find(fence) else {
            break;
        };
        let end = start + ticks + length + ticks;
        masked.push_str(&rest[..start]);
        masked.extend(std::iter::repeat_n(MASK, end - start));
        rest = &rest[end..];
    }
    masked + rest
}

/// Masks the phrases of the allow list.
fn without_allowed(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut masked = text.to_owned();
    for (offset, _) in words(text) {
        for (allowed, _) in ALLOWED {
            if starts_with_phrase(&lower[offset..], allowed) {
                let mask = MASK.to_string().repeat(allowed.len());
                masked.replace_range(offset..offset + allowed.len(), &mask);
            }
        }
    }
    masked
}

/// Returns each word with its offset.
fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut end = 0;
    std::iter::from_fn(move || {
        let start = end + text[end..].find(is_part_of_word)?;
        let length = text[start..].find(|c| !is_part_of_word(c));
        end = length.map_or(text.len(), |length| start + length);
        Some((start, &text[start..end]))
    })
}

fn is_part_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn starts_with_phrase(text: &str, phrase: &str) -> bool {
    text.strip_prefix(phrase)
        .is_some_and(|rest| !rest.starts_with(is_part_of_word))
}

/// Returns whether a sentence, or a clause after a colon, begins after `before`.
fn opens_sentence(before: &str) -> bool {
    let before = before.trim_end_matches(['*', '_', '"', '(']);
    before.is_empty()
        || [". ", ": ", "; ", "! ", "? "]
            .iter()
            .any(|end| before.ends_with(end))
}

fn is_question(sentence: &str) -> bool {
    let end = sentence.find(['.', '?']);
    end.is_some_and(|end| sentence[end..].starts_with('?'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[&str]) -> Vec<(usize, String)> {
        let mut paragraph = Paragraph::default();
        for (index, line) in lines.iter().enumerate() {
            paragraph.push(index + 1, line);
        }
        let hits = paragraph.hits();
        hits.into_iter().map(|hit| (hit.line, hit.word)).collect()
    }

    fn words_of(line: &str) -> Vec<String> {
        found(&[line]).into_iter().map(|(_, word)| word).collect()
    }

    #[test]
    fn words_are_found_in_any_case_and_only_whole() {
        assert_eq!(
            words_of("Nobody foretells what the kernel says"),
            ["Nobody", "says"]
        );
        assert_eq!(words_of("headroom, essays, ask_twice, sayé"), [""; 0]);
    }

    #[test]
    fn phrases_are_found_across_lines() {
        assert_eq!(
            found(&["the timeout was set by", "hand, and", "so many times"]),
            [(1, "by hand".to_owned()), (3, "so many".to_owned())]
        );
    }

    #[test]
    fn every_avoided_word_is_found() {
        for (avoided, _) in AVOIDED {
            assert_eq!(words_of(&format!("It {avoided} here")), [*avoided]);
        }
        for (opening, _) in OPENINGS {
            assert_eq!(words_of(&format!("{opening} it is")).len(), 1, "{opening}");
        }
    }

    #[test]
    fn openings_are_found_unless_they_ask() {
        for text in [
            "What a packet costs.",
            "Two lines. Who deleted it",
            "One thing: What was lost.",
            "**What it is**",
            "That which was lost is counted.",
        ] {
            assert_eq!(words_of(text).len(), 1, "{text}");
        }
        for text in [
            "What does a packet cost?",
            "Counts what was lost.",
            "Whatever was lost is counted.",
            "The WHO agrees.",
        ] {
            assert_eq!(words_of(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn code_spans_are_masked() {
        assert_eq!(words_of("`say` and ``tell ` told`` are keys, not goes"), ["goes"]);
        assert_eq!(found(&["`a b", "say` takes"]), [(2, "takes".to_owned())]);
        assert_eq!(words_of("by `code` hand"), [""; 0]);
        assert_eq!(words_of("an open ` says"), ["says"]);
    }

    #[test]
    fn allowed_phrases_are_no_hits() {
        for (phrase, _) in ALLOWED {
            assert_eq!(words_of(&format!("It {phrase} here")), [""; 0], "{phrase}");
        }
        assert_eq!(words_of("Hosts behind NAT say nothing"), ["say"]);
        assert_eq!(words_of("It means of course"), ["means"]);
    }

    #[test]
    fn tables_are_in_small_letters_and_need_each_other() {
        for (phrase, _) in AVOIDED.iter().chain(ALLOWED) {
            assert_eq!(*phrase, phrase.to_ascii_lowercase());
        }
        for (phrase, _) in ALLOWED {
            assert!(
                words(phrase).any(|(_, word)| AVOIDED.iter().any(|(avoided, _)| *avoided == word)),
                "nothing is to be allowed in {phrase:?}"
            );
        }
    }
}
