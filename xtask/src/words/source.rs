//! Splits a Rust file into comments, string literals and code.

use std::ops::RangeInclusive;

/// A comment or a string literal.
#[derive(Debug, PartialEq)]
pub struct Piece {
    /// Its kind.
    pub kind: Kind,
    /// Its lines, each with its number from 1.
    pub lines: Vec<(usize, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `///`
    Doc,
    /// `//!`
    Inner,
    /// `//` or `/*` on a line without code
    Plain,
    /// `//` after code
    Trailing,
    /// The text between two quotes
    Literal,
}

/// A Rust file.
#[derive(Default)]
pub struct Source {
    /// Its comments, of which those on adjacent lines are one, and its literals.
    pub pieces: Vec<Piece>,
    /// The code of each line, without comments and literals.
    code: Vec<String>,
}

impl Source {
    /// Reads a file that compiles.
    pub fn parse(text: &str) -> Self {
        let mut scanner = Scanner {
            rest: text,
            source: Self {
                pieces: Vec::new(),
                code: vec![String::new()],
            },
        };
        while scanner.step() {}
        scanner.source
    }

    /// Returns the lines of each item that follows an attribute which `marks` it, from its doc comment to its end.
    pub fn items(&self, marks: impl Fn(&str) -> bool) -> Vec<RangeInclusive<usize>> {
        let attributes = self.code.iter().enumerate().filter(|(_, code)| marks(code));
        attributes
            .map(|(index, _)| self.doc_start(index + 1)..=self.item_end(index + 1))
            .collect()
    }

    /// Walks up over attributes and doc comments.
    fn doc_start(&self, mut line: usize) -> usize {
        let is_doc = |line: usize| {
            let piece = self.pieces.iter().find(|piece| piece.holds(line));
            piece.is_some_and(|piece| piece.kind == Kind::Doc)
        };
        while line > 1 && (is_doc(line - 1) || self.code[line - 2].trim_start().starts_with("#[")) {
            line -= 1;
        }
        line
    }

    /// Walks down to the closing brace, or to the semicolon of an item without braces.
    fn item_end(&self, from: usize) -> usize {
        let mut depth = 0_usize;
        for (index, code) in self.code.iter().enumerate().skip(from - 1) {
            for c in code.chars() {
                match c {
                    '{' | '(' | '[' => depth += 1,
                    '}' | ')' | ']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                if depth == 0 && matches!(c, '}' | ';') {
                    return index + 1;
                }
            }
        }
        self.code.len()
    }
}

impl Piece {
    fn holds(&self, line: usize) -> bool {
        self.lines.iter().any(|(number, _)| *number == line)
    }
}

struct Scanner<'a> {
    rest: &'a str,
    source: Source,
}

impl Scanner<'_> {
    /// Reads one comment, literal or character of code; returns false at the end.
    fn step(&mut self) -> bool {
        let Some(c) = self.rest.chars().next() else {
            return false;
        };
        if self.rest.starts_with("//") {
            self.line_comment();
        } else if self.rest.starts_with("/*") {
            self.block_comment();
        } else if c == '"' {
            self.literal();
        } else if let Some(hashes) = self.raw_literal_hashes() {
            self.raw_literal(hashes);
        } else if c == '\'' {
            self.quote();
        } else {
            self.code(c.len_utf8());
        }
        true
    }

    fn line_comment(&mut self) {
        let comment = self.rest.lines().next().unwrap_or_default();
        self.rest = &self.rest[comment.len()..];
        let trailing = !self.code_so_far().trim().is_empty();
        let (kind, text) = if let Some(text) = comment.strip_prefix("//!") {
            (Kind::Inner, text)
        } else if let Some(text) = comment.strip_prefix("///").filter(|text| !text.starts_with('/')) {
            (Kind::Doc, text)
        } else if trailing {
            (Kind::Trailing, &comment[2..])
        } else {
            (Kind::Plain, &comment[2..])
        };
        self.comment_line(kind, text.to_owned());
    }

    /// Appends to the comment that ended on the line before, if it is of the same kind.
    fn comment_line(&mut self, kind: Kind, text: String) {
        let number = self.number();
        if let Some(last) = self.source.pieces.last_mut() {
            let adjacent = last.lines.last().is_some_and(|(line, _)| line + 1 == number);
            if adjacent && last.kind == kind && kind != Kind::Trailing {
                last.lines.push((number, text));
                return;
            }
        }
        self.source.pieces.push(Piece {
            kind,
            lines: vec![(number, text)],
        });
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        let mut end = 0;
        loop {
            let rest = &self.rest[end..];
            if rest.starts_with("/*") {
                depth += 1;
                end += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                end += 2;
                if depth == 0 {
                    break;
                }
            } else if let Some(c) = rest.chars().next() {
                end += c.len_utf8();
            } else {
                break;
            }
        }
        let (comment, rest) = self.rest.split_at(end);
        self.rest = rest;
        for (index, line) in comment.split('\n').enumerate() {
            if index > 0 {
                self.source.code.push(String::new());
            }
            let text = line
                .trim()
                .trim_start_matches(['/', '*'])
                .trim_end_matches(['/', '*']);
            self.comment_line(Kind::Plain, text.to_owned());
        }
    }

    /// Reads `"…"`: escapes are resolved as far as words need it.
    fn literal(&mut self) {
        let mut lines = vec![(self.number(), String::new())];
        let mut chars = self.rest.char_indices().skip(1);
        let mut end = self.rest.len();
        while let Some((offset, c)) = chars.next() {
            match c {
                '"' => {
                    end = offset + 1;
                    break;
                }
                '\\' => match chars.next() {
                    Some((_, '\n')) => self.next_line(&mut lines),
                    Some((_, 'n')) => {
                        lines.push((self.number(), String::new()));
                        lines.push((self.number(), String::new()));
                    }
                    Some((_, c @ ('"' | '\''))) => append(&mut lines, c),
                    _ => append(&mut lines, ' '),
                },
                '\n' => self.next_line(&mut lines),
                c => append(&mut lines, c),
            }
        }
        self.rest = &self.rest[end..];
        self.end_literal(lines);
    }

    /// Returns the number of hashes of `r"…"` or `r#"…"#` where one begins, which is not within a word.
    fn raw_literal_hashes(&self) -> Option<usize> {
        let rest = self.rest.strip_prefix('r')?;
        let quoted = rest.trim_start_matches('#');
        let before = self.code_so_far().trim_end_matches(['b', 'c']);
        let within_word = before.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        (quoted.starts_with('"') && !within_word).then(|| rest.len() - quoted.len())
    }

    fn raw_literal(&mut self, hashes: usize) {
        let close = format!("\"{}", "#".repeat(hashes));
        let text = &self.rest[hashes + 2..];
        let length = text.find(&close).unwrap_or(text.len());
        self.rest = text.get(length + close.len()..).unwrap_or_default();
        let mut lines = vec![(self.number(), String::new())];
        for c in text[..length].chars() {
            if c == '\n' {
                self.next_line(&mut lines);
            } else {
                append(&mut lines, c);
            }
        }
        self.end_literal(lines);
    }

    fn next_line(&mut self, lines: &mut Vec<(usize, String)>) {
        self.source.code.push(String::new());
        lines.push((self.number(), String::new()));
    }

    fn end_literal(&mut self, mut lines: Vec<(usize, String)>) {
        // A literal is an operand: code is around it, also where it has a line to itself.
        self.code_here().push('_');
        for (_, line) in &mut lines {
            *line = without_placeholders(line);
        }
        self.source.pieces.push(Piece {
            kind: Kind::Literal,
            lines,
        });
    }

    /// Reads a character, or the quote of a lifetime.
    fn quote(&mut self) {
        let mut chars = self.rest.char_indices().skip(1);
        let length = match (chars.next(), chars.next()) {
            (Some((_, '\\')), Some((offset, c))) => {
                let after = offset + c.len_utf8();
                self.rest[after..]
                    .find('\'')
                    .map_or(1, |length| after + length + 1)
            }
            (Some(_), Some((offset, '\''))) => offset + 1,
            _ => 1,
        };
        if length == 1 {
            self.code(1);
        } else {
            self.code_here().push('_');
            self.rest = &self.rest[length..];
        }
    }

    fn code(&mut self, length: usize) {
        let (code, rest) = self.rest.split_at(length);
        self.rest = rest;
        if code == "\n" {
            self.source.code.push(String::new());
        } else {
            self.code_here().push_str(code);
        }
    }

    /// Returns the number of the current line.
    fn number(&self) -> usize {
        self.source.code.len()
    }

    fn code_so_far(&self) -> &str {
        self.source.code.last().map_or("", String::as_str)
    }

    fn code_here(&mut self) -> &mut String {
        let index = self.source.code.len() - 1;
        &mut self.source.code[index]
    }
}

fn append(lines: &mut [(usize, String)], c: char) {
    if let Some((_, line)) = lines.last_mut() {
        line.push(c);
    }
}

/// Replaces `{name:?}` by one underscore: the names of variables are not read by users.
fn without_placeholders(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        let inner = &rest[start + 1..];
        let end = inner.find(|c: char| !c.is_alphanumeric() && !"_.:#?$<>^*+-".contains(c));
        result.push_str(&rest[..start]);
        rest = match end {
            Some(end) if inner[end..].starts_with('}') => {
                result.push('_');
                &inner[end + 1..]
            }
            _ => {
                result.push('{');
                inner
            }
        };
    }
    result + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares the kind, the first line and the text of each piece, with `/` between its lines.
    fn assert_pieces(text: &str, expected: &[(Kind, usize, &str)]) {
        let pieces = Source::parse(text).pieces;
        let pieces: Vec<(Kind, usize, String)> = pieces
            .iter()
            .map(|piece| {
                let lines: Vec<&str> = piece.lines.iter().map(|(_, line)| line.trim()).collect();
                (piece.kind, piece.lines[0].0, lines.join("/"))
            })
            .collect();
        let expected = expected
            .iter()
            .map(|(kind, line, text)| (*kind, *line, (*text).to_owned()));
        assert_eq!(pieces, expected.collect::<Vec<_>>());
    }

    #[test]
    fn adjacent_comments_of_a_kind_are_one() {
        assert_pieces(
            "//! a\n//! b\n\n/// c\n/// d\n// e\nfn f() {} // g\n// h\n//\n// i\n\n// j\n",
            &[
                (Kind::Inner, 1, "a/b"),
                (Kind::Doc, 4, "c/d"),
                (Kind::Plain, 6, "e"),
                (Kind::Trailing, 7, "g"),
                (Kind::Plain, 8, "h//i"),
                (Kind::Plain, 12, "j"),
            ],
        );
    }

    #[test]
    fn comments_in_literals_are_none_and_quotes_in_comments_neither() {
        assert_pieces(
            r##"let a = "// no"; // it's "one"
let b = r#"say "this" // no"#; /* a /* b */
c */ let c = ('"', '\'', '\\', b'"', "'"); // d
fn e<'a>(f: &'a str) {} // g
"##,
            &[
                (Kind::Literal, 1, "// no"),
                (Kind::Trailing, 1, "it's \"one\""),
                (Kind::Literal, 2, "say \"this\" // no"),
                (Kind::Plain, 2, "a /* b/c"),
                (Kind::Literal, 3, "'"),
                (Kind::Trailing, 3, "d"),
                (Kind::Trailing, 4, "g"),
            ],
        );
    }

    #[test]
    fn literals_are_read_as_they_are_printed() {
        assert_pieces(
            "f(\"a \\\n      b\\nc \\\"d\\\" {gone:>4} {{e}}\", var\"f\")",
            &[(Kind::Literal, 1, "a/b//c \"d\" _ {_}"), (Kind::Literal, 2, "f")],
        );
    }

    #[test]
    fn items_reach_from_their_documentation_to_their_end() {
        let text = "\
fn a() {}

/// b
#[mark]
#[other]
struct C {
    /// d
    e: [u8; 4], // }
}
    #[mark]
    struct F([u8; 4]);
const G: &str = \"#[mark]\";
";
        assert_eq!(
            Source::parse(text).items(|code| code.contains("[mark]")),
            [3..=9, 10..=11]
        );
    }
}
