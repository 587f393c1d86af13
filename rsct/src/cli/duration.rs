//! Durations on the command line.

use std::time::Duration;

/// A longer duration is a typing error, and may overflow a clock.
const LONGEST: Duration = Duration::from_secs(1000 * 365 * 86_400);

/// Parses a number with a unit; without a unit it is seconds.
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
        "d" => number * 86_400.0,
        unit => return Err(format!("unknown unit {unit}: use ms, s, m, h or d")),
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration <= LONGEST => Ok(duration),
        _ => Err("a time cannot be negative, or longer than 1000 years".to_owned()),
    }
}

/// Parses a number of whole seconds other than 0.
pub(super) fn parse_seconds(text: &str) -> Result<u64, String> {
    match parse(text)? {
        Duration::ZERO => Err("0 would make entries expire at once".to_owned()),
        duration if duration.subsec_nanos() == 0 => Ok(duration.as_secs()),
        _ => Err("expected whole seconds".to_owned()),
    }
}

/// A large number of seconds in the largest unit that divides it, or else rounded.
pub(super) fn readable(seconds: u64) -> Option<String> {
    const UNITS: [(u64, &str); 3] = [(86_400, "d"), (3_600, "h"), (60, "m")];
    let exact = UNITS.iter().find(|(unit, _)| seconds.is_multiple_of(*unit));
    let about = || UNITS.iter().find(|(unit, _)| seconds >= 2 * unit);
    match (exact, seconds) {
        (_, ..60) => None,
        (Some((unit, name)), _) => Some(format!("{}{name}", seconds / unit)),
        (None, ..600) => None,
        (None, _) => about().map(|(unit, name)| format!("about {}{name}", (seconds + unit / 2) / unit)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_are_parsed() {
        for (text, seconds) in [
            ("7", 7),
            ("7s", 7),
            ("5m", 300),
            ("2h", 7200),
            ("1d", 86_400),
            ("1.5m", 90),
        ] {
            assert_eq!(parse_seconds(text), Ok(seconds), "{text}");
        }
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        for (text, why) in [
            ("0", "expire at once"),
            ("0d", "expire at once"),
            ("-1", "negative"),
            ("1e30", "longer than"),
            ("366000d", "longer than"),
            ("1.5", "whole seconds"),
            ("1500ms", "whole seconds"),
            ("5w", "unknown unit w"),
            ("", "expected a number"),
            ("s", "expected a number"),
            ("inf", "expected a number"),
            ("NaN", "expected a number"),
            ("5 m", "expected a number"),
        ] {
            let error = parse_seconds(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn long_times_are_readable() {
        for (seconds, readable_as) in [
            (30, None),
            (60, Some("1m")),
            (90, None),
            (120, Some("2m")),
            (432_000, Some("5d")),
            (5_400, Some("90m")),
            (604, Some("about 10m")),
            (8_589_934, Some("about 99d")),
        ] {
            assert_eq!(readable(seconds).as_deref(), readable_as, "{seconds}");
        }
    }

    proptest! {
        #[test]
        fn exact_texts_parse_to_their_seconds(seconds in 1..10_000_000_u64) {
            if let Some(text) = readable(seconds).filter(|text| !text.starts_with("about")) {
                prop_assert_eq!(parse_seconds(&text), Ok(seconds));
            }
        }

        #[test]
        fn any_text_is_a_time_or_an_error(text: String) {
            let _ = parse_seconds(&text);
        }
    }
}
