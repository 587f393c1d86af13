//! Colours: only on a terminal, and not if `NO_COLOR` is set.

use std::io::IsTerminal;

/// The escape sequences in use; all empty without colours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Palette {
    /// Success; an entry is created.
    pub good: &'static [u8],
    /// An entry is confirmed.
    pub confirmed: &'static [u8],
    /// An entry is refreshed.
    pub refreshed: &'static [u8],
    /// An entry is deleted or destroyed.
    pub ended: &'static [u8],
    /// Failure; a packet is INVALID or dropped.
    pub bad: &'static [u8],
    /// Emphasis.
    pub strong: &'static [u8],
    /// Less important text.
    pub dim: &'static [u8],
    /// Ends a colour.
    pub reset: &'static [u8],
}

impl Palette {
    /// No colours.
    pub(crate) const PLAIN: Self = Self {
        good: b"",
        confirmed: b"",
        refreshed: b"",
        ended: b"",
        bad: b"",
        strong: b"",
        dim: b"",
        reset: b"",
    };
    const ANSI: Self = Self {
        good: b"\x1b[32m",
        confirmed: b"\x1b[36m",
        refreshed: b"\x1b[94m",
        ended: b"\x1b[33m",
        bad: b"\x1b[31m",
        strong: b"\x1b[1m",
        dim: b"\x1b[2m",
        reset: b"\x1b[0m",
    };

    /// The colours for `stream` (no-color.org).
    pub(crate) fn for_stream(stream: &impl IsTerminal) -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if stream.is_terminal() && !unwanted {
            Self::ANSI
        } else {
            Self::PLAIN
        }
    }

    /// Appends `text` in `color`, which may be empty.
    pub(crate) fn paint(&self, out: &mut Vec<u8>, color: &[u8], text: &[u8]) {
        if color.is_empty() {
            return out.extend_from_slice(text);
        }
        out.extend_from_slice(color);
        out.extend_from_slice(text);
        out.extend_from_slice(self.reset);
    }
}
