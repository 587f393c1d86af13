//! `-R`: a file of command lines.
//!
//! conntrack reads the whole file before it does anything, so that a line that can't be meant keeps all of them from
//! being done. It holds what it read in memory; here the file is read twice instead, and one that can't be, such as a
//! pipe, goes through an unnamed temporary file.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Seek as _, SeekFrom},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
};

use super::{Session, execute};
use crate::conntrack::{parse::Order, problem::Problem};

/// How much of a line is a line: the rest is another.
const LINE_BYTES: usize = 10239;
/// How long a word may be.
const WORD_BYTES: usize = 1023;
/// How many words a line may have, the program's name among them.
const WORDS: usize = 253;

/// Does what every line of a file says.
pub(in crate::conntrack) fn load_file(session: &mut Session, path: &Path) -> Result<(), Problem> {
    let path = if path == Path::new("-") {
        Path::new("/dev/stdin")
    } else {
        path
    };
    let failed = || {
        let name = path.as_os_str().as_encoded_bytes();
        Problem::parameter_with("Failed to open file ", name, " for reading")
    };
    let mut file = rewindable(File::open(path).map_err(|_| failed())?).map_err(|_| failed())?;
    let begin = file.stream_position().map_err(|_| failed())?;
    let mut refused = None;
    each_order(session, &mut file, |_, order| {
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
    file.seek(SeekFrom::Start(begin)).map_err(|_| failed())?;
    each_order(session, &mut file, |session, order| execute(session, &order))
}

/// The file itself where it can be read again, else a copy of it.
fn rewindable(mut file: File) -> io::Result<File> {
    // A terminal or a pipe has no position.
    if file.stream_position().is_ok() && file.metadata()?.is_file() {
        return Ok(file);
    }
    let mut copy = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .mode(0o600)
        .custom_flags(libc::O_TMPFILE)
        .open(std::env::temp_dir())?;
    io::copy(&mut file, &mut copy)?;
    copy.rewind()?;
    Ok(copy)
}

fn each_order(
    session: &mut Session,
    file: &mut File,
    mut take: impl FnMut(&mut Session, Order) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut file = BufReader::with_capacity(64 * 1024, file);
    let mut line = Vec::new();
    while read_line(&mut file, &mut line) {
        if let Some(order) = order_of(&line, session)? {
            take(session, order)?;
        }
    }
    Ok(())
}

/// What a line means; nothing where it is a comment.
pub(in crate::conntrack) fn order_of(line: &[u8], session: &mut Session) -> Result<Option<Order>, Problem> {
    words(&session.program, line)?
        .map(|words| Order::parse(words, &mut session.names))
        .transpose()
}

/// Reads a line with its newline, or as much of it as is a line. What can't be read ends the file.
fn read_line(file: &mut BufReader<&mut File>, line: &mut Vec<u8>) -> bool {
    line.clear();
    while line.len() < LINE_BYTES {
        let Ok(buffer) = file.fill_buf() else {
            break;
        };
        if buffer.is_empty() {
            break;
        }
        let room = buffer.len().min(LINE_BYTES - line.len());
        let newline = buffer[..room].iter().position(|byte| *byte == b'\n');
        let taken = newline.map_or(room, |newline| newline + 1);
        line.extend_from_slice(&buffer[..taken]);
        file.consume(taken);
        if newline.is_some() {
            break;
        }
    }
    !line.is_empty()
}

/// The words of a line, behind the program's name; none where there is nothing but a comment.
fn words(program: &[u8], line: &[u8]) -> Result<Option<Vec<Vec<u8>>>, Problem> {
    // C's strings end at a zero byte.
    let line = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let blank = line
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let line = &line[blank..];
    if matches!(line.first(), Some(b'\n' | b'#')) {
        return Ok(None);
    }
    let mut words = vec![program.to_vec()];
    let mut word = Vec::new();
    let (mut quoted, mut escaped) = (false, false);
    let mut end = |word: &mut Vec<u8>| {
        if words.len() > WORDS {
            return Err(Problem::parameter("too many arguments"));
        }
        words.push(std::mem::take(word));
        Ok(())
    };
    for &byte in line {
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
            // The end of a quote ends the word, an empty one too.
            quoted = false;
            end(&mut word)?;
            continue;
        } else if is_blank {
            if !word.is_empty() {
                end(&mut word)?;
            }
            continue;
        }
        word.push(byte);
        if word.len() > WORD_BYTES {
            return Err(Problem::parameter("Parameter too long!"));
        }
    }
    if !word.is_empty() {
        end(&mut word)?;
    }
    Ok(Some(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<String> {
        let words = words(b"conntrack", line.as_bytes()).unwrap()?;
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
    fn what_is_too_long_is_refused() {
        let long = "x".repeat(WORD_BYTES + 1);
        let too_long = Err(Problem::parameter("Parameter too long!"));
        assert_eq!(words(b"conntrack", long.as_bytes()), too_long);
        assert!(words(b"conntrack", &long.as_bytes()[1..]).is_ok());
        let many = "x ".repeat(WORDS + 1);
        let too_many = Err(Problem::parameter("too many arguments"));
        assert_eq!(words(b"conntrack", many.as_bytes()), too_many);
        assert!(words(b"conntrack", &many.as_bytes()[2..]).is_ok());
    }
}
