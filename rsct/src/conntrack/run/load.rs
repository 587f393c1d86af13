//! `-R`: runs a file of command lines.
//!
//! conntrack reads the whole file first, so that one invalid line prevents all of them from running. It keeps the lines
//! in memory; this code reads the file twice instead, and keeps only input that cannot be read twice, such as a pipe.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read as _, Seek as _, SeekFrom},
    path::Path,
};

use super::{ConntrackSession, execute};
use crate::conntrack::{parse::Order, problem::Problem};

/// Longest line in bytes: the rest counts as another line.
const LINE_BYTES: usize = 10239;
/// Longest word in bytes.
const WORD_BYTES: usize = 1023;
/// Most words in a line, with the program's name.
const WORDS: usize = 253;

/// Executes every line of a file.
pub(in crate::conntrack) fn load_file(session: &mut ConntrackSession, path: &Path) -> Result<(), Problem> {
    let path = if path == Path::new("-") {
        Path::new("/dev/stdin")
    } else {
        path
    };
    let failed = || {
        let name = path.as_os_str().as_encoded_bytes();
        Problem::parameter_with("Failed to open file ", name, " for reading")
    };
    let mut input = Input::of(File::open(path).map_err(|_| failed())?).map_err(|_| failed())?;
    let mut refused = None;
    input.each_order(session, |_, order| {
        if let Some(name) = order.command().refused_in_file() {
            refused.get_or_insert(name);
        }
        Ok(())
    })?;
    if let Some(name) = refused {
        return Err(Problem::parameter(format!(
            "Cannot use command `{name}' with --load-file"
        )));
    }
    input.rewind().map_err(|_| failed())?;
    input.each_order(session, execute)
}

/// Input that can be read twice.
enum Input {
    /// A file, and its start offset.
    File(File, u64),
    /// The contents of a terminal or a pipe.
    Held(Vec<u8>),
}

impl Input {
    fn of(mut file: File) -> io::Result<Self> {
        // A terminal or a pipe has no position.
        if let Ok(begin) = file.stream_position()
            && file.metadata()?.is_file()
        {
            return Ok(Self::File(file, begin));
        }
        let mut held = Vec::new();
        // A read error ends the input, as it ends a file.
        let _ = file.read_to_end(&mut held);
        Ok(Self::Held(held))
    }

    fn rewind(&mut self) -> io::Result<()> {
        match self {
            Self::File(file, begin) => file.seek(SeekFrom::Start(*begin)).map(drop),
            Self::Held(_) => Ok(()),
        }
    }

    fn each_order(
        &mut self,
        session: &mut ConntrackSession,
        take: impl FnMut(&mut ConntrackSession, &Order) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        match self {
            Self::File(file, _) => each_order(session, &mut BufReader::with_capacity(64 * 1024, file), take),
            Self::Held(held) => each_order(session, &mut held.as_slice(), take),
        }
    }
}

fn each_order(
    session: &mut ConntrackSession,
    input: &mut impl BufRead,
    mut take: impl FnMut(&mut ConntrackSession, &Order) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut line = Vec::new();
    while read_line(input, &mut line) {
        if let Some(order) = order_of(&mut line, session)? {
            take(session, &order)?;
        }
    }
    Ok(())
}

/// Parses a line; `None` for a comment. The line is overwritten.
pub(in crate::conntrack) fn order_of(
    line: &mut [u8],
    session: &mut ConntrackSession,
) -> Result<Option<Order>, Problem> {
    let Some(words) = words(&session.program, line)? else {
        return Ok(None);
    };
    Order::parse(words, &mut session.names).map(Some)
}

/// Reads a line with its newline, or the longest permitted part of it. A read error ends the file.
fn read_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> bool {
    line.clear();
    while line.len() < LINE_BYTES {
        let Ok(buffer) = input.fill_buf() else {
            break;
        };
        if buffer.is_empty() {
            break;
        }
        let limit = buffer.len().min(LINE_BYTES - line.len());
        let newline = buffer[..limit].iter().position(|byte| *byte == b'\n');
        let length = newline.map_or(limit, |newline| newline + 1);
        line.extend_from_slice(&buffer[..length]);
        input.consume(length);
        if newline.is_some() {
            break;
        }
    }
    !line.is_empty()
}

/// The words of a line, after the program's name; `None` if it is a comment. They are assembled in the line itself.
fn words<'a>(program: &'a [u8], line: &'a mut [u8]) -> Result<Option<Vec<&'a [u8]>>, Problem> {
    // C strings end at a zero byte.
    let end = line.iter().position(|byte| *byte == 0).unwrap_or(line.len());
    let blank = line[..end]
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let line = &mut line[blank..end];
    if matches!(line.first(), Some(b'\n' | b'#')) {
        return Ok(None);
    }
    let mut split = Split::new(program, line);
    let (mut quoted, mut escaped) = (false, false);
    while let Some(byte) = split.next() {
        let is_quote = byte == b'"';
        let is_blank = matches!(byte, b' ' | b'\t' | b'\n');
        if quoted && (escaped || byte != b'\\' && !is_quote) {
            escaped = false;
        } else if quoted && byte == b'\\' {
            escaped = true;
            continue;
        } else if is_quote && !quoted {
            quoted = true;
            continue;
        } else if is_quote {
            // A closing quote ends the word, even an empty one.
            quoted = false;
            split.end()?;
            continue;
        } else if is_blank {
            if split.length > 0 {
                split.end()?;
            }
            continue;
        }
        split.push(byte)?;
    }
    if split.length > 0 {
        split.end()?;
    }
    Ok(Some(split.words))
}

/// A line being split into words.
struct Split<'a> {
    words: Vec<&'a [u8]>,
    /// The line after the complete words. The current word is assembled at its start from bytes already read, so it
    /// cannot overtake them.
    line: &'a mut [u8],
    /// Number of bytes read.
    read: usize,
    /// Number of bytes in the word.
    length: usize,
}

impl<'a> Split<'a> {
    fn new(program: &'a [u8], line: &'a mut [u8]) -> Self {
        /// Words allocated at once: more than most lines have.
        const USUAL_WORDS: usize = 32;
        let mut words = Vec::with_capacity(USUAL_WORDS);
        words.push(program);
        Self {
            words,
            line,
            read: 0,
            length: 0,
        }
    }

    /// Reads a byte.
    fn next(&mut self) -> Option<u8> {
        let byte = *self.line.get(self.read)?;
        self.read += 1;
        Some(byte)
    }

    /// Appends a byte to the word.
    fn push(&mut self, byte: u8) -> Result<(), Problem> {
        self.line[self.length] = byte;
        self.length += 1;
        if self.length > WORD_BYTES {
            return Err(Problem::parameter("Parameter too long!"));
        }
        Ok(())
    }

    /// Ends the word.
    fn end(&mut self) -> Result<(), Problem> {
        if self.words.len() > WORDS {
            return Err(Problem::parameter("too many arguments"));
        }
        let (done, rest) = std::mem::take(&mut self.line).split_at_mut(self.read);
        self.words.push(&done[..self.length]);
        (self.line, self.read, self.length) = (rest, 0, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<String> {
        let mut line = line.as_bytes().to_vec();
        let words = words(b"conntrack", &mut line).unwrap()?;
        let words: Vec<_> = words.iter().map(|word| String::from_utf8_lossy(word)).collect();
        Some(words.join("|"))
    }

    #[test]
    fn a_line_is_split_as_conntrack_splits_it() {
        for (line, expected) in [
            ("-A -p tcp\n", "conntrack|-A|-p|tcp"),
            ("  \t-F", "conntrack|-F"),
            ("   ", "conntrack"),
            ("\"-A\" -p \"a b\"", "conntrack|-A|-p|a b"),
            ("\"-s\"1.2.3.4 x\"y z\"", "conntrack|-s|1.2.3.4|xy z"),
            ("\"a\\\"b\\\\\" \\x", "conntrack|a\"b\\|\\x"),
            ("a \"\" b", "conntrack|a||b"),
            ("\"open", "conntrack|open"),
            ("-F # no comment", "conntrack|-F|#|no|comment"),
        ] {
            assert_eq!(read(line).as_deref(), Some(expected), "{line}");
        }
        for nothing in ["\n", "  \n", "#x", "\t# x\n"] {
            assert_eq!(read(nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn long_words_and_lines_are_rejected() {
        let refused = |line: &str| words(b"conntrack", &mut line.as_bytes().to_vec()).err();
        let long = "x".repeat(WORD_BYTES + 1);
        let too_long = Some(Problem::parameter("Parameter too long!"));
        assert_eq!(refused(&long), too_long);
        assert_eq!(refused(&long[1..]), None);
        let many = "x ".repeat(WORDS + 1);
        let too_many = Some(Problem::parameter("too many arguments"));
        assert_eq!(refused(&many), too_many);
        assert_eq!(refused(&many[2..]), None);
    }
}
