//! Output in pages has rsct's words: each word of a shown line occurs in a text of rsct's source, and two words next to
//! each other can be printed so. A scenario compares lines with a run, but a run has no counterpart of lines that depend
//! on the traffic.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{
    all,
    parser::{self, Documented},
};

/// The crates whose texts rsct prints.
const SOURCES: [&str; 2] = ["../rsct/src", "../rsct-common/src"];
/// Programs whose output has rsct's words.
const PROGRAMS: [&str; 3] = ["rsct", "conntrack", "nfct"];
/// Namespaces and interfaces of the scenarios.
const NAMES: [&str; 4] = ["server", "client", "cl", "sv"];
/// rsct puts it before the name of a sysctl.
const SYSCTL: &str = "nf_conntrack_";
/// The label of functions and messages of the kernel.
const KERNEL: &str = "kernel  ";
/// Between a function and the offset of a call in a stack.
const OFFSET: &str = "+0x";
/// Punctuation at the ends of a word.
const PUNCTUATION: &str = "()[]{},;:.!?\"`'|=+<>";

/// A word with the punctuation around it; no word if it is a number, an address or a name such as `udp-policy1`.
struct Token<'a> {
    word: Option<&'a str>,
    is_opened: bool,
    is_closed: bool,
    is_empty: bool,
}

impl<'a> Token<'a> {
    fn of(text: &'a str) -> Self {
        let is_punctuation = |c: char| PUNCTUATION.contains(c);
        let word = text.trim_matches(is_punctuation);
        let is_word = word.starts_with(|c: char| c.is_ascii_lowercase())
            && word
                .chars()
                .all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '\''));
        Self {
            word: is_word.then_some(word),
            is_opened: text.starts_with(is_punctuation),
            is_closed: text.ends_with(is_punctuation),
            is_empty: text.is_empty(),
        }
    }
}

/// The texts of rsct.
#[derive(Default)]
struct Texts {
    words: BTreeSet<String>,
    /// Words with only a space between them.
    pairs: BTreeSet<(String, String)>,
    /// Words at the beginning and at the end of a text or a placeholder, and whether a space is there.
    first: BTreeSet<(String, bool)>,
    last: BTreeSet<(String, bool)>,
    /// Texts of one word, such as names: two of them are printed by `{} {}`.
    names: BTreeSet<String>,
}

impl Texts {
    fn add(&mut self, text: &str) {
        let whole = Token::of(text);
        if whole.word == Some(text) {
            self.names.insert(text.to_owned());
        }
        for part in runs(text) {
            let tokens: Vec<Token<'_>> = part.split(' ').map(Token::of).collect();
            self.words
                .extend(tokens.iter().filter_map(|token| token.word.map(str::to_owned)));
            self.pairs
                .extend(pairs(&tokens).map(|(one, next)| (one.to_owned(), next.to_owned())));
            let mut filled = tokens.iter().enumerate().filter(|(_, token)| !token.is_empty);
            if let Some((index, token)) = filled.clone().next()
                && let (Some(word), false) = (token.word, token.is_opened)
            {
                self.first.insert((word.to_owned(), index > 0));
            }
            if let Some((index, token)) = filled.next_back()
                && let (Some(word), false) = (token.word, token.is_closed)
            {
                self.last.insert((word.to_owned(), index + 1 < tokens.len()));
            }
        }
    }

    /// Adds the texts of a source file without its tests.
    fn add_source(&mut self, source: &str) {
        let source = source.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        for text in literals(source) {
            for part in text.split('}').flat_map(|part| part.split('{').take(1)) {
                self.add(part);
            }
        }
    }

    fn has(&self, word: &str) -> bool {
        let name = word.strip_prefix(SYSCTL).unwrap_or(word);
        self.words.contains(word) || self.words.contains(name) || NAMES.contains(&word)
    }

    /// Returns whether one word can be printed directly before the other: in one text, or where two texts meet.
    fn has_pair(&self, one: &str, next: &str) -> bool {
        let pair = (one.to_owned(), next.to_owned());
        let ends = |is_spaced| self.last.contains(&(pair.0.clone(), is_spaced));
        let begins = |is_spaced| self.first.contains(&(pair.1.clone(), is_spaced));
        NAMES.contains(&one)
            || NAMES.contains(&next)
            || self.pairs.contains(&pair)
            || ends(true) && (begins(true) || begins(false))
            || ends(false) && begins(true)
            || self.names.contains(one) && self.names.contains(next)
            // A name of several words, printed with spaces.
            || self.words.contains(&format!("{one}_{next}"))
    }

    /// The words of a shown line that rsct does not print, and pairs that it does not print next to each other.
    fn faults(&self, line: &str) -> Vec<String> {
        let mut faults = Vec::new();
        for run in runs(&without_brackets(line)) {
            let tokens: Vec<Token<'_>> = run.split(' ').map(Token::of).collect();
            let words = tokens.iter().filter_map(|token| token.word);
            faults.extend(words.filter(|word| !self.has(word)).map(str::to_owned));
            let pairs = pairs(&tokens).filter(|(one, next)| !self.has_pair(one, next));
            faults.extend(pairs.map(|(one, next)| format!("{one} {next}")));
        }
        faults
    }
}

/// Pairs of words that only a space separates.
fn pairs<'a>(tokens: &[Token<'a>]) -> impl Iterator<Item = (&'a str, &'a str)> {
    tokens.windows(2).filter_map(|pair| match pair {
        [one, next] if !one.is_closed && !next.is_opened => Some((one.word?, next.word?)),
        _ => None,
    })
}

/// The parts of a text between wider space.
fn runs(text: &str) -> impl Iterator<Item = &str> {
    text.split(['\n', '\t']).flat_map(|line| line.split("  "))
}

/// The line without the text in brackets, which are flags and the ids of tasks. A task's name is then no word.
fn without_brackets(line: &str) -> String {
    let mut parts = line.split('[');
    let mut without = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        without.push('#');
        without.push_str(part.split_once(']').map_or("", |(_, rest)| rest));
    }
    without
}

/// The string and byte string literals of Rust source.
fn literals(source: &str) -> Vec<String> {
    let mut literals = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (before, found) = rest.split_at(at);
        if let Some(comment) = found.strip_prefix("//") {
            rest = comment.split_once('\n').map_or("", |(_, rest)| rest);
        } else if let Some(after) = found.strip_prefix('/') {
            rest = after;
        } else if let Some(after) = found.strip_prefix('\'') {
            // A character such as '"' or '\'', or a lifetime.
            let end = match after.strip_prefix('\\') {
                Some(escaped) => escaped.get(1..).and_then(|rest| rest.split_once('\'')),
                None => {
                    let mut chars = after.chars();
                    chars.next();
                    chars.as_str().strip_prefix('\'').map(|rest| ("", rest))
                }
            };
            rest = end.map_or(after, |(_, rest)| rest);
        } else {
            let hashes = before.len() - before.trim_end_matches('#').len();
            let is_raw = before.trim_end_matches('#').ends_with('r');
            let (literal, after) = if is_raw {
                raw(&found[1..], hashes)
            } else {
                escaped(&found[1..])
            };
            literals.push(literal);
            rest = after;
        }
    }
    literals
}

/// A raw literal up to its end, and the source after it.
fn raw(text: &str, hashes: usize) -> (String, &str) {
    let end = format!("\"{}", "#".repeat(hashes));
    let (literal, rest) = text.split_once(&end).unwrap_or((text, ""));
    (literal.to_owned(), rest)
}

/// A literal up to its end without its escapes, and the source after it.
fn escaped(text: &str) -> (String, &str) {
    let mut literal = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['"', '\\']) {
        literal.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if rest[at..].starts_with('"') {
            return (literal, after);
        }
        // A line that continues loses its indentation.
        rest = match after.strip_prefix('\n') {
            Some(next) => next.trim_start(),
            None => {
                let escaped = after.chars().next();
                literal.push(if escaped == Some('n') { '\n' } else { '"' });
                after.get(escaped.map_or(0, char::len_utf8)..).unwrap_or_default()
            }
        };
    }
    (literal, "")
}

fn source_files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

fn texts() -> Texts {
    let mut files = Vec::new();
    for directory in SOURCES {
        source_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(directory), &mut files);
    }
    let mut texts = Texts::default();
    for file in files {
        texts.add_source(&fs::read_to_string(file).unwrap());
    }
    texts
}

/// The shown lines with rsct's own text.
fn printed(command: &Documented) -> impl Iterator<Item = &String> {
    let first = parser::words(&command.command).into_iter().next();
    let is_ours = first.is_some_and(|first| PROGRAMS.contains(&first.as_str()));
    let shown = command.shown.iter().flatten().filter(move |_| is_ours);
    shown.filter(|line| {
        let text = line.trim_start();
        !text.starts_with('{') && !text.starts_with(KERNEL) && !text.contains(OFFSET)
    })
}

#[test]
fn pages_show_words_that_rsct_prints() {
    let texts = texts();
    let mut faults = String::new();
    for command in all().unwrap() {
        for line in printed(&command) {
            let found = texts.faults(line);
            if !found.is_empty() {
                let Documented { page, command, .. } = &command;
                faults += &format!("{page}: {command}: {line:?}: {}\n", found.join(", "));
            }
        }
    }
    assert!(
        faults.is_empty(),
        "rsct does not print these words, or not next to each other:\n{faults}"
    );
}

#[test]
fn other_words_are_found() {
    let mut texts = Texts::default();
    texts.add_source(concat!(
        "let a = format!(\"{count} entries left the table in {seconds:.1} s\"); // set aloud\n",
        "out.extend(b\" left of \"); let quote = '\"'; let it = \"missed by \\\n     the window\";\n",
        "const NAME: &str = \"reply_elsewhere\"; const SYSCTL: &str = r#\"udp_timeout \"x\"\"#;\n",
        "const ROLES: [&str; 2] = [\"reply packets\", \"elsewhere\"];\n",
        "#[cfg(test)]\nmod tests { const T: &str = \"gives\"; }\n",
    ));
    for line in [
        "3 entries left the table in 2.0 s",
        "29s left of 30s, nf_conntrack_udp_timeout",
        "missed by the window left of conntrack[12]",
        "  reply elsewhere    5 packets",
    ] {
        assert!(texts.faults(line).is_empty(), "{line}: {:?}", texts.faults(line));
    }
    for (line, expected) in [
        ("3 entries left the list", &["list", "the list"][..]),
        (
            "set aloud by the list",
            &["set", "aloud", "list", "set aloud", "aloud by", "the list"],
        ),
        ("table entries", &["table entries"]),
        ("one gives [gives]", &["one", "gives", "one gives"]),
        ("nf_conntrack_udp_timeouts", &["nf_conntrack_udp_timeouts"]),
    ] {
        assert_eq!(texts.faults(line), expected, "{line}");
    }
}
