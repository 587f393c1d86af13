//! How the old command says that something is wrong: its name and version, the sentence, and the exit code.

use super::VERSION;
use crate::message;

/// What ends the command early.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// It was used wrongly: exit code 2, and a word on where help is.
    Parameter(Vec<u8>),
    /// It failed: exit code 1.
    Other(Vec<u8>),
    /// Nobody reads its output any more; ends it without a word.
    BrokenPipe,
}

impl Problem {
    /// Wrong use.
    pub(super) fn parameter(sentence: impl Into<String>) -> Self {
        Self::Parameter(sentence.into().into_bytes())
    }

    /// Wrong use, with what was typed in the sentence.
    pub(super) fn parameter_with(before: &str, typed: &[u8], after: &str) -> Self {
        Self::Parameter([before.as_bytes(), typed, after.as_bytes()].concat())
    }

    /// A failure.
    pub(super) fn other(sentence: impl Into<String>) -> Self {
        Self::Other(sentence.into().into_bytes())
    }

    /// Says it and returns the exit code.
    pub(super) fn tell(&self) -> u8 {
        match self {
            Self::Parameter(sentence) => {
                say(sentence);
                message::write(b"Try `conntrack -h' or 'conntrack --help' for more information.\n");
                2
            }
            Self::Other(sentence) => {
                say(sentence);
                1
            }
            // What the signal would have made of the old command.
            Self::BrokenPipe => 0,
        }
    }
}

/// Says a sentence under the command's name and version.
pub(super) fn say(sentence: &[u8]) {
    let name = format!("conntrack v{VERSION} (conntrack-tools): ");
    message::write([name.as_bytes(), sentence, b"\n"].concat());
}
