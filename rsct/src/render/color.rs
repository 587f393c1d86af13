//! Colours, on a terminal only, and never against `NO_COLOR`.

use std::io::IsTerminal;

/// The escape sequences in use; empty where there are to be none.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// Something came about.
    pub good: &'static [u8],
    /// Something went wrong, or went away.
    pub bad: &'static [u8],
    /// Stands out.
    pub strong: &'static [u8],
    /// Less important.
    pub dim: &'static [u8],
    /// Back to normal.
    pub reset: &'static [u8],
}

impl Palette {
    /// No colours.
    pub const PLAIN: Self = Self {
        good: b"",
        bad: b"",
        strong: b"",
        dim: b"",
        reset: b"",
    };
    const ANSI: Self = Self {
        good: b"\x1b[32m",
        bad: b"\x1b[31m",
        strong: b"\x1b[1m",
        dim: b"\x1b[2m",
        reset: b"\x1b[0m",
    };

    /// What suits `stream` (see no-color.org).
    pub fn for_stream(stream: &impl IsTerminal) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if stream.is_terminal() && !unwanted {
            Self::ANSI
        } else {
            Self::PLAIN
        }
    }

    /// Appends `text` in `color`.
    pub fn paint(&self, out: &mut Vec<u8>, color: &[u8], text: &[u8]) {
        out.extend_from_slice(color);
        out.extend_from_slice(text);
        out.extend_from_slice(self.reset);
    }
}
