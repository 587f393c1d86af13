//! Messages to the user: the only code that writes to standard error.
//!
//! A message never ends the command: `eprintln!` panics if standard error is closed or its reader is gone.

use std::{
    fmt::Arguments,
    io::{self, Write as _},
};

/// Writes one message line, which begins with `rsct: `. Takes what `format!` takes.
macro_rules! message {
    ($($text:tt)+) => { $crate::message::line(format_args!($($text)+)) };
}

/// Writes one message line.
pub(crate) fn line(text: Arguments<'_>) {
    write(format!("rsct: {text}\n"));
}

/// Writes text as it is, in one system call, so that lines of several threads do not mix.
pub(crate) fn write(text: impl AsRef<[u8]>) {
    // If standard error cannot be written to, there is no place to report that.
    let _ = io::stderr().lock().write_all(text.as_ref());
}
