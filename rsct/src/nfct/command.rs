//! The command and the subsystem on the command line.

use super::problem::Problem;

/// An operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    List,
    Add,
    Delete,
    Get,
    Flush,
    Disable,
    DefaultSet,
    DefaultGet,
}

/// The kind of object that it works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subsystem {
    Timeout,
    Helper,
    Version,
}

/// Tried in this order. A prefix is enough, even the empty one.
const COMMANDS: [(&str, Command); 8] = [
    ("list", Command::List),
    ("add", Command::Add),
    ("delete", Command::Delete),
    ("get", Command::Get),
    ("flush", Command::Flush),
    ("disable", Command::Disable),
    ("default-set", Command::DefaultSet),
    ("default-get", Command::DefaultGet),
];

/// Matched likewise. nfct's fourth, `help`, is unreachable: `helper` matches every prefix of it.
const SUBSYSTEMS: [(&str, Subsystem); 3] = [
    ("timeout", Subsystem::Timeout),
    ("helper", Subsystem::Helper),
    ("version", Subsystem::Version),
];

fn find<T: Copy>(table: &[(&str, T)], typed: &[u8]) -> Option<T> {
    table
        .iter()
        .find(|(name, _)| name.as_bytes().starts_with(typed))
        .map(|(_, meant)| *meant)
}

/// A command line whose first two words are parsed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CommandLine<'a> {
    /// The name that the program was called by.
    pub(super) program: &'a [u8],
    /// The second of the two words before the parameters.
    pub(super) second: &'a [u8],
    pub(super) command: Command,
    pub(super) subsystem: Subsystem,
    /// The parameters.
    pub(super) parameters: &'a [&'a [u8]],
}

impl<'a> CommandLine<'a> {
    /// Parses the two words in either order; a word that is both is the command.
    pub(super) fn parse(words: &'a [&'a [u8]]) -> Result<Self, Problem> {
        let program = words.first().copied().unwrap_or_default();
        let [_, first, second, parameters @ ..] = words else {
            return Err(Problem::usage(program));
        };
        // nfct names the first word in both cases.
        let unknown = |what: &str| {
            let sentence = [b"Unknown ", what.as_bytes(), b": ", *first].concat();
            Problem::new(sentence).append_usage(program)
        };
        let (command, subsystem) = match find(&COMMANDS, first) {
            Some(command) => (Some(command), find(&SUBSYSTEMS, second)),
            None => (find(&COMMANDS, second), find(&SUBSYSTEMS, first)),
        };
        let subsystem = subsystem.ok_or_else(|| unknown("subsystem"))?;
        let command = command.ok_or_else(|| unknown("command"))?;
        Ok(Self {
            program,
            second,
            command,
            subsystem,
            parameters,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<(Command, Subsystem, usize), String> {
        let words: Vec<&[u8]> = [b"./nfct"]
            .into_iter()
            .map(|word| &word[..])
            .chain(words.iter().map(|word| word.as_bytes()))
            .collect();
        CommandLine::parse(&words)
            .map(|line| (line.command, line.subsystem, line.parameters.len()))
            .map_err(|problem| problem.text())
    }

    #[test]
    fn both_orders_and_beginnings_are_understood() {
        for (words, command, subsystem, parameters) in [
            (&["list", "timeout"][..], Command::List, Subsystem::Timeout, 0),
            (&["timeout", "list", "x"], Command::List, Subsystem::Timeout, 1),
            (&["d", "h", "x", "y"], Command::Delete, Subsystem::Helper, 2),
            (&["helper", "di"], Command::Disable, Subsystem::Helper, 0),
            (&["t", "default-"], Command::DefaultSet, Subsystem::Timeout, 0),
            (&["default-g", "t"], Command::DefaultGet, Subsystem::Timeout, 0),
            (&["", ""], Command::List, Subsystem::Timeout, 0),
            (&["timeout", ""], Command::List, Subsystem::Timeout, 0),
            (&["help", "f"], Command::Flush, Subsystem::Helper, 0),
            (&["v", "g"], Command::Get, Subsystem::Version, 0),
        ] {
            assert_eq!(parsed(words), Ok((command, subsystem, parameters)), "{words:?}");
        }
    }

    #[test]
    fn unknown_words_match_nfct() {
        let usage = "Usage: ./nfct command subsystem [parameters]...\n";
        for (words, text) in [
            (&[][..], ""),
            (&["version"], ""),
            (&["x", "list"], "Unknown subsystem: x\n"),
            (&["list", "x"], "Unknown subsystem: list\n"),
            (&["timeout", "x"], "Unknown command: timeout\n"),
            (&["listx", "timeout"], "Unknown subsystem: listx\n"),
            (&["List", "timeout"], "Unknown subsystem: List\n"),
        ] {
            assert_eq!(parsed(words), Err(format!("{text}{usage}")), "{words:?}");
        }
    }
}
