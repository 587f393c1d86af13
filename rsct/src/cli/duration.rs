//! Spans of time as people type them.

use std::time::Duration;

/// Reads a number with a unit; without one it is seconds.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits
        .parse()
        .map_err(|_| "expected a number with a unit, such as 10s, 5m or 500ms".to_owned())?;
    let seconds = match &text[digits.len()..] {
        "" | "s" => number,
        "ms" => number / 1000.0,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        unit => return Err(format!("unknown unit {unit}: use ms, s, m or h")),
    };
    Duration::try_from_secs_f64(seconds).map_err(|_| "a time cannot be negative or that long".to_owned())
}
