//! Durations of conntrack's functions, as tables and bars.

use std::{fmt::Display, io::Write as _};

use rsct_common::latency::Function;

use super::color::Palette;
use crate::{
    kernel::{hz::Hz, interfaces::Names},
    latency::{By, ERROR_PERCENT, Key, Reading, Tally},
};

/// The longest bar.
const BAR: u64 = 38;
/// Eighths of a character.
const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/// The quantiles that are shown, in thousandths.
pub(crate) const QUANTILES: [(u16, &str); 4] = [(500, "P50"), (900, "P90"), (990, "P99"), (999, "P99.9")];

/// A measurement, and its layout.
#[derive(Clone, Copy)]
pub(crate) struct Report<'a> {
    /// The counts.
    pub reading: &'a Reading,
    /// The key that groups durations.
    pub by: By,
    /// Ticks a second.
    pub hz: Hz,
    /// Names of namespaces.
    pub names: &'a Names,
    /// True to print bars.
    pub bars: bool,
    /// Colours.
    pub palette: Palette,
}

/// The title of a function's table.
fn title(function: Function) -> &'static str {
    match function {
        Function::ConntrackIn => "traversal of conntrack by a packet",
        Function::Confirm => "insertion of a new entry into the table",
        Function::NatSetup => "NAT setup for a new entry",
        Function::Lock => "acquisition of a table lock, where the kernel calls this",
        Function::DoubleLock => "acquisition of the locks of both chains of an entry",
        Function::Contention => "wait for a table lock held by another CPU",
        Function::Gc => "runs of garbage collection",
        Function::Nothing => "nothing",
    }
}

impl Report<'_> {
    /// The name of a key.
    pub(crate) fn key(&self, function: Function, key: Key) -> String {
        match key {
            Key::Netns(inode) => self.names.netns(inode).to_string(),
            key => key.name(function),
        }
    }

    /// Appends a table for each function that was called.
    pub(crate) fn text(&self, out: &mut Vec<u8>) {
        let mut any = false;
        for function in Function::ALL {
            let total = self.reading.total(function);
            let counts = &self.reading.counts;
            let untimed =
                function == Function::ConntrackIn && counts.tracked_already + counts.untracked_already != 0;
            if total.count() == 0 && !untimed {
                continue;
            }
            any = true;
            self.function(out, function, &total);
        }
        if !any {
            put(
                out,
                format_args!("\nNo calls were measured: conntrack was idle.\n"),
            );
        }
    }

    fn function(&self, out: &mut Vec<u8>, function: Function, total: &Tally) {
        put(out, format_args!("\n"));
        let strong = self.palette.strong;
        self.palette.paint(out, strong, function.name().as_bytes());
        put(out, format_args!(": {}\n", title(function)));
        let by = if self.reading.of(function).all(|(key, _)| key == Key::All) {
            ""
        } else {
            self.by.name()
        };
        header(out, &by.to_uppercase());
        let mut keys = 0;
        for (key, tally) in self.reading.of(function) {
            row(out, &self.key(function, key), tally, &Nanoseconds);
            keys += 1;
        }
        if keys > 1 {
            row(out, "all", total, &Nanoseconds);
        }
        if function == Function::ConntrackIn {
            self.untimed(out);
        }
        if function == Function::Gc {
            self.gc(out);
        }
        if self.bars && total.count() != 0 {
            self.bars(out, total);
        }
    }

    /// Packets that nf_conntrack_in returns at once.
    fn untimed(&self, out: &mut Vec<u8>) {
        let counts = &self.reading.counts;
        for (name, count, why) in [
            (
                "tracked_already",
                counts.tracked_already,
                "had an entry on arrival: returned at once, not timed",
            ),
            (
                "untracked",
                counts.untracked_already,
                "untracked by a rule: returned at once, not timed",
            ),
        ] {
            if count != 0 {
                put(out, format_args!("{name:<16} {count:>10}  {why}\n"));
            }
        }
    }

    fn gc(&self, out: &mut Vec<u8>) {
        let gc = &self.reading.gc;
        row(out, "buckets/run", &gc.buckets, &Plain);
        row(out, "reaped/run", &gc.reaped, &Plain);
        row(out, "reaped late by", &gc.late, &Jiffies(self.hz));
        if gc.evicted != 0 {
            let count = gc.evicted;
            put(
                out,
                format_args!(
                    "{:<16} {count:>10}  before their timeout: the table was nearly full\n",
                    "evicted"
                ),
            );
        }
    }

    /// A line for each octave.
    fn bars(&self, out: &mut Vec<u8>, tally: &Tally) {
        let octaves = tally.octaves();
        let most = octaves.iter().map(|(_, count)| *count).max().unwrap_or(0);
        let all = tally.count();
        put(out, format_args!("{:>16} {:>10}\n", "FROM", "COUNT"));
        for (least, count) in octaves {
            put(
                out,
                format_args!(
                    "{:>16} {count:>10} {:>5.1}%",
                    Nanoseconds.show(least),
                    count as f64 * 100.0 / all as f64
                ),
            );
            if count != 0 {
                out.push(b' ');
                self.palette
                    .paint(out, self.palette.good, bar(count, most).as_bytes());
            }
            out.push(b'\n');
        }
    }
}

/// The error of the values shown.
pub(crate) fn error() -> String {
    format!("Quantiles are exact to {ERROR_PERCENT:.1} %; MAX is exact unless marked with <=.")
}

fn header(out: &mut Vec<u8>, by: &str) {
    put(out, format_args!("{by:<16} {:>10}", "COUNT"));
    for (_, name) in QUANTILES {
        put(out, format_args!(" {name:>9}"));
    }
    put(out, format_args!(" {:>9}\n", "MAX"));
}

fn row(out: &mut Vec<u8>, name: &str, tally: &Tally, unit: &impl Unit) {
    put(out, format_args!("{name:<16} {:>10}", tally.count()));
    for (per_mille, _) in QUANTILES {
        let value = tally.quantile(per_mille);
        put(
            out,
            format_args!(" {:>9}", value.map_or("-".to_owned(), |value| unit.show(value))),
        );
    }
    let largest = tally.largest().map_or("-".to_owned(), |largest| {
        let at_most = if largest.is_exact() { "" } else { "<=" };
        format!("{at_most}{}", unit.show(largest.value()))
    });
    put(out, format_args!(" {largest:>9}\n"));
}

/// The unit of a tally's values.
trait Unit {
    fn show(&self, value: u64) -> String;
}

struct Plain;

impl Unit for Plain {
    fn show(&self, value: u64) -> String {
        value.to_string()
    }
}

struct Jiffies(Hz);

impl Unit for Jiffies {
    fn show(&self, value: u64) -> String {
        let jiffies = u32::try_from(value).unwrap_or(u32::MAX);
        time(self.0.duration(jiffies).as_nanos() as u64)
    }
}

struct Nanoseconds;

impl Unit for Nanoseconds {
    fn show(&self, value: u64) -> String {
        time(value)
    }
}

/// A time in three digits.
pub(crate) fn time(ns: u64) -> String {
    let (value, unit) = match ns {
        0..1000 => return format!("{ns}ns"),
        1000..999_500 => (ns as f64 / 1e3, "us"),
        999_500..999_500_000 => (ns as f64 / 1e6, "ms"),
        // Seconds are the largest unit.
        999_500_000_000..1_000_000_000_000 => (999.0, "s"),
        _ => (ns as f64 / 1e9, "s"),
    };
    let decimals = match value {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}{unit}")
}

/// A bar in proportion to the longest, at least one eighth.
fn bar(count: u64, most: u64) -> String {
    let eighths = u128::from(count) * u128::from(BAR) * 8 / u128::from(most);
    let eighths = usize::try_from(eighths).unwrap_or(0).max(1);
    format!("{}{}", "█".repeat(eighths / 8), PARTS[eighths % 8])
}

fn put(out: &mut Vec<u8>, text: impl Display) {
    // Writing to a Vec can't fail.
    let _ = write!(out, "{text}");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::latency::tally_of;

    fn shown(reading: &Reading, by: By) -> String {
        let mut out = Vec::new();
        Report {
            reading,
            by,
            hz: Hz::of_running_kernel().unwrap(),
            names: &Names::default(),
            bars: true,
            palette: Palette::PLAIN,
        }
        .text(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_table_and_its_bars() {
        let mut reading = Reading::default();
        let mut put = |key, values: &[u64]| {
            reading
                .durations
                .insert((Function::ConntrackIn, key), tally_of(values));
        };
        put(Key::Outcome(0), &[20_000, 21_000]);
        put(Key::Outcome(1), &[1100, 1200, 1300, 1_000_000]);
        reading.counts.tracked_already = 6;
        assert_eq!(
            shown(&reading, By::Outcome),
            "
nf_conntrack_in: traversal of conntrack by a packet
OUTCOME               COUNT       P50       P90       P99     P99.9       MAX
created                   2    20.0us    21.0us    21.0us    21.0us    21.0us
tracked                   4    1.18us     999us     999us     999us    1.00ms
all                       6    1.31us     999us     999us     999us    1.00ms
tracked_already           6  had an entry on arrival: returned at once, not timed
            FROM      COUNT
          1.02us          3  50.0% ██████████████████████████████████████
          2.05us          0   0.0%
          4.10us          0   0.0%
          8.19us          0   0.0%
          16.4us          2  33.3% █████████████████████████▎
          32.8us          0   0.0%
          65.5us          0   0.0%
           131us          0   0.0%
           262us          0   0.0%
           524us          1  16.7% ████████████▋
"
        );
    }

    #[test]
    fn an_empty_reading_has_a_sentence() {
        assert!(shown(&Reading::default(), By::Cpu).contains("No calls were measured"));
    }

    #[test]
    fn lines_fit_a_terminal() {
        let mut reading = Reading::default();
        for function in Function::ALL {
            for key in [Key::Netns(7), Key::Netns(4_026_531_840)] {
                let values = [1, 999_499, 999_500, 9_994_999_999, 99_950_000_000];
                reading.durations.insert((function, key), tally_of(&values));
            }
        }
        reading.counts.tracked_already = 4_000_000_000;
        reading.counts.untracked_already = 4_000_000_000;
        let text = shown(&reading, By::Netns);
        for line in text.lines() {
            assert!(line.chars().count() < 95, "{line}");
            assert!(line.contains("not timed") || line.chars().count() <= 80, "{line}");
        }
        assert!(text.contains("\n4026531840 "), "{text}");
    }

    #[test]
    fn times_at_the_edges_of_units_and_digits() {
        for (ns, expected) in [
            (0, "0ns"),
            (999, "999ns"),
            (1_000, "1.00us"),
            (9_994, "9.99us"),
            (9_995, "10.0us"),
            (99_949, "99.9us"),
            (99_950, "100us"),
            (999_499, "999us"),
            (999_500, "1.00ms"),
            (9_994_999, "9.99ms"),
            (9_995_000, "10.0ms"),
            (99_949_999, "99.9ms"),
            (99_950_000, "100ms"),
            (999_499_999, "999ms"),
            (999_500_000, "1.00s"),
            (9_994_999_999, "9.99s"),
            (9_995_000_000, "10.0s"),
            (99_949_999_999, "99.9s"),
            (99_950_000_000, "100s"),
            (999_499_999_999, "999s"),
            (999_500_000_000, "999s"),
            (999_999_999_999, "999s"),
            (1_000_000_000_000, "1000s"),
        ] {
            assert_eq!(time(ns), expected, "{ns}");
        }
    }

    proptest! {
        #[test]
        fn times_have_three_digits(ns in 0..10_000_000_000_000_u64) {
            let text = time(ns);
            let digits = text.chars().filter(char::is_ascii_digit).count();
            prop_assert!(digits == 3 || !(100..1_000_000_000_000).contains(&ns), "{} is {}", ns, text);
            let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let scale = match &text[number.len()..] {
                "ns" => 1.0,
                "us" => 1e3,
                "ms" => 1e6,
                _ => 1e9,
            };
            let back = number.parse::<f64>().unwrap() * scale;
            prop_assert!((back - ns as f64).abs() <= ns as f64 * 0.0051, "{} is {}", ns, text);
        }
    }
}
