//! Progress messages for steps that take long.
//!
//! On a terminal, one status line at the bottom is redrawn; otherwise each long step prints one plain line.

use std::{
    io::{IsTerminal as _, Write as _},
    sync::{
        Mutex, Once,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Shorter steps print no line.
const PATIENCE: Duration = Duration::from_secs(2);
const REDRAW: Duration = Duration::from_millis(250);

struct Entry {
    id: u64,
    label: String,
    since: Instant,
    announced: bool,
}

static ACTIVE: Mutex<Vec<Entry>> = Mutex::new(Vec::new());
static NEXT: AtomicU64 = AtomicU64::new(0);
static TICKER: Once = Once::new();

/// A running step; it ends when dropped.
#[must_use]
pub struct Step(u64);

/// Starts a step called `label`.
pub fn step(label: impl Into<String>) -> Step {
    TICKER.call_once(|| {
        thread::spawn(|| {
            loop {
                thread::sleep(REDRAW);
                draw();
            }
        });
    });
    let id = NEXT.fetch_add(1, Ordering::Relaxed);
    with(|active| {
        active.push(Entry {
            id,
            label: label.into(),
            since: Instant::now(),
            announced: false,
        });
    });
    Step(id)
}

impl Step {
    /// Replaces the step's label.
    pub fn relabel(&self, label: impl Into<String>) {
        with(|active| {
            if let Some(entry) = active.iter_mut().find(|entry| entry.id == self.0) {
                entry.label = label.into();
            }
        });
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        with(|active| {
            active.retain(|entry| entry.id != self.0);
            erase();
        });
    }
}

/// Prints a permanent line above the status line.
pub fn note(line: &str) {
    with(|_| {
        erase();
        eprintln!("{line}");
    });
}

/// Runs `print` with the status line erased.
pub fn hidden<T>(print: impl FnOnce() -> T) -> T {
    with(|_| {
        erase();
        print()
    })
}

fn with<T>(change: impl FnOnce(&mut Vec<Entry>) -> T) -> T {
    change(&mut ACTIVE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
}

fn erase() {
    let mut stderr = std::io::stderr();
    if stderr.is_terminal() {
        // A closed terminal is no reason to stop.
        let _ = write!(stderr, "\r\x1b[K");
    }
}

fn draw() {
    with(|active| {
        let mut stderr = std::io::stderr();
        if stderr.is_terminal() {
            if active.is_empty() {
                return;
            }
            let line: Vec<String> = active
                .iter()
                .map(|entry| format!("{} … {} s", entry.label, entry.since.elapsed().as_secs()))
                .collect();
            let line: String = line.join("  |  ").chars().take(width()).collect();
            let _ = write!(stderr, "\r\x1b[K{line}");
            let _ = stderr.flush();
        } else {
            for entry in active.iter_mut().filter(|entry| !entry.announced) {
                if entry.since.elapsed() >= PATIENCE {
                    entry.announced = true;
                    let _ = writeln!(stderr, "{} …", entry.label);
                }
            }
        }
    });
}

/// A status line must not wrap: erasing it would leave its first half.
fn width() -> usize {
    // SAFETY: winsize is plain integers, for which zero is a value.
    let mut size: libc::winsize = unsafe { std::mem::zeroed() };
    // SAFETY: TIOCGWINSZ fills the passed winsize and keeps no pointer.
    let got = unsafe { libc::ioctl(libc::STDERR_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    if got == 0 && size.ws_col > 1 {
        usize::from(size.ws_col) - 1
    } else {
        79
    }
}
