//! Messages to the user: the only code that writes to standard error.
//!
//! A message never ends the command: `eprintln!` panics if standard error is closed or its reader has exited.

use std::{
    fmt::Arguments,
    io::{self, Write as _},
};

use crate::outside::shown_lines;

/// Writes one message line, which begins with `rsct: `. The arguments are those of `format!`.
macro_rules! message {
    ($($text:tt)+) => { $crate::message::line(format_args!($($text)+)) };
}

/// Writes one message line, with control characters escaped.
pub(crate) fn line(text: Arguments<'_>) {
    write(shown_lines(&format!("rsct: {text}\n")));
}

/// Writes text as it is, in one system call, so that lines of several threads do not mix.
pub(crate) fn write(text: impl AsRef<[u8]>) {
    // If standard error cannot be written to, there is nowhere to report that.
    let _ = io::stderr().lock().write_all(text.as_ref());
}
