//! Messages to the user: the only code that writes to standard error.
//!
//! A message never ends the command: `eprintln!` panics if standard error is closed or its reader has exited.

use std::{
    fmt::Arguments,
    io::{self, Write as _},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use crate::outside::shown_lines;

/// True while a status line is on the terminal.
static HAS_STATUS: AtomicBool = AtomicBool::new(false);
/// Returns to the start of the line and erases it.
const ERASE: &[u8] = b"\r\x1b[K";

/// Writes the status line of a terminal, in place of the one before. The next message erases it.
pub(crate) fn status(text: &str) {
    HAS_STATUS.store(true, Relaxed);
    let line = [ERASE, text.as_bytes()].concat();
    let _ = io::stderr().lock().write_all(&line);
}

/// Erases the status line.
pub(crate) fn clear_status() {
    if HAS_STATUS.swap(false, Relaxed) {
        let _ = io::stderr().lock().write_all(ERASE);
    }
}

/// Writes one message line, which begins with `rsct: `. The arguments are those of `format!`.
macro_rules! message {
    ($($text:tt)+) => { $crate::message::line(format_args!($($text)+)) };
}

/// Writes one message line, with control characters escaped.
pub(crate) fn line(text: Arguments<'_>) {
    write(shown_lines(&format!("rsct: {text}\n")));
}

/// Messages that wait until a screen is closed.
static HELD: Mutex<Option<Vec<u8>>> = Mutex::new(None);

/// Holds messages back: they would destroy a screen on the same terminal.
pub(crate) fn hold() {
    HELD.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert_default();
}

/// Writes the held messages, and each later one at once.
pub(crate) fn release() {
    let held = HELD.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(held) = held {
        write(held);
    }
}

/// The last line of the held messages.
pub(crate) fn last_held() -> Option<String> {
    let held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let text = String::from_utf8_lossy(held.as_deref()?);
    text.lines().last().map(str::to_owned)
}

/// Writes text as it is, in one system call, so that lines of several threads do not mix.
pub(crate) fn write(text: impl AsRef<[u8]>) {
    if let Some(held) = &mut *HELD.lock().unwrap_or_else(PoisonError::into_inner) {
        return held.extend_from_slice(text.as_ref());
    }
    clear_status();
    // If standard error cannot be written to, there is nowhere to report that.
    let _ = io::stderr().lock().write_all(text.as_ref());
}
