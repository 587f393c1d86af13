//! Errors in the old command's form: its name and version, the message, and the exit code.

use super::VERSION;
use crate::message;

/// An error that ends the command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// Wrong usage: exit code 2, and a pointer to the help.
    Parameter(Vec<u8>),
    /// Failure: exit code 1.
    Other(Vec<u8>),
    /// The reader of the output is closed; ends the command silently.
    BrokenPipe,
}

impl Problem {
    /// Wrong usage.
    pub(super) fn parameter(sentence: impl Into<String>) -> Self {
        Self::Parameter(sentence.into().into_bytes())
    }

    /// Wrong usage, with the typed text in the message.
    pub(super) fn parameter_with(before: &str, typed: &[u8], after: &str) -> Self {
        Self::Parameter([before.as_bytes(), typed, after.as_bytes()].concat())
    }

    /// A failure.
    pub(super) fn other(sentence: impl Into<String>) -> Self {
        Self::Other(sentence.into().into_bytes())
    }

    /// Prints the message and returns the exit code.
    pub(super) fn report(&self) -> u8 {
        match self {
            Self::Parameter(sentence) => {
                print(sentence);
                message::write(b"Try `conntrack -h' or 'conntrack --help' for more information.\n");
                2
            }
            Self::Other(sentence) => {
                print(sentence);
                1
            }
            // The old command would have died of SIGPIPE.
            Self::BrokenPipe => 0,
        }
    }
}

/// Prints a message after the command's name and version.
pub(super) fn print(sentence: &[u8]) {
    let name = format!("conntrack v{VERSION} (conntrack-tools): ");
    message::write([name.as_bytes(), sentence, b"\n"].concat());
}
