//! When entries expire, as bars and as JSON.

use std::{fmt::Display, io::Write as _};

use super::{bytes, color::Palette};
use crate::{
    kernel::netns::NetnsName,
    schema::{
        settings::{self, ExpiringBucket, ExpiringState},
        tag,
    },
    timeouts::{Histogram, Protocol, State},
};

/// The longest bar.
const BAR: u64 = 30;
/// Number of states that each line names.
const NAMED: usize = 3;
/// Eighths of a character.
const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Appends a line for each span of time.
pub(crate) fn text(out: &mut Vec<u8>, histogram: &Histogram, palette: Palette) {
    put(
        out,
        format_args!("{:>12} {:>9}  {:30}  STATES\n", "TIME LEFT", "ENTRIES", ""),
    );
    let most = histogram
        .buckets()
        .map(|(.., bucket)| bucket.entries)
        .max()
        .unwrap_or(0);
    for (from, to, bucket) in histogram.buckets() {
        put(
            out,
            format_args!("{:>12} {:>9}  ", span(from, to), bucket.entries),
        );
        let bar = bar(bucket.entries, most);
        let empty = usize::try_from(BAR)
            .unwrap_or(0)
            .saturating_sub(bar.chars().count());
        palette.paint(out, palette.good, bar.as_bytes());
        put(out, format_args!("{:empty$}  ", ""));
        let states = bucket.by_state();
        for (index, (of, count)) in states.iter().take(NAMED).enumerate() {
            put(
                out,
                format_args!("{}{} {count}", if index > 0 { ", " } else { "" }, Name(*of)),
            );
        }
        if states.len() > NAMED {
            let others: u64 = states[NAMED..].iter().map(|(_, count)| count).sum();
            put(out, format_args!(", others {others}"));
        }
        out.push(b'\n');
    }
    if histogram.without > 0 {
        put(
            out,
            format_args!(
                "{:>12} {:>9}  in a flowtable, which keeps their timeouts\n",
                "-", histogram.without
            ),
        );
    }
}

/// Appends a JSON object.
pub(crate) fn json(out: &mut Vec<u8>, histogram: &Histogram, netns: Option<&NetnsName>) {
    let state = |(of, entries): &(Option<(&'static Protocol, &'static State)>, u64)| ExpiringState {
        proto: of.map(|(protocol, _)| protocol.name.into()),
        protonum: of.map(|(protocol, _)| protocol.number),
        timeout_state: of.map(|(_, state)| state.name.into()),
        entries: *entries,
    };
    let buckets = histogram.buckets().map(|(from, to, bucket)| ExpiringBucket {
        from_s: from,
        to_s: to,
        entries: bucket.entries,
        by_state: bucket.by_state().iter().map(state).collect(),
    });
    let object = settings::Expiring {
        r#type: tag::Expiring,
        netns: netns.into(),
        entries: histogram.entries(),
        without_timeout: histogram.without,
        buckets: buckets.collect(),
    };
    bytes::json_line(out, &object);
}

/// A bar in proportion to the longest; at least one eighth unless there are no entries.
fn bar(entries: u64, most: u64) -> String {
    if entries == 0 {
        return String::new();
    }
    let eighths = u128::from(entries) * u128::from(BAR) * 8 / u128::from(most);
    let eighths = usize::try_from(eighths).unwrap_or(0).max(1);
    format!("{}{}", "█".repeat(eighths / 8), PARTS[eighths % 8])
}

fn span(from: u32, to: Option<u32>) -> String {
    match to {
        Some(to) if from == 0 => format!("under {}", Time(to)),
        Some(to) => format!("{} to {}", Time(from), Time(to)),
        None => format!("{} or more", Time(from)),
    }
}

/// A bound in its largest unit: all bounds are whole numbers of it.
struct Time(u32);

impl Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            seconds if seconds >= 86_400 => write!(f, "{}d", seconds / 86_400),
            seconds if seconds >= 3_600 => write!(f, "{}h", seconds / 3_600),
            seconds if seconds >= 60 => write!(f, "{}m", seconds / 60),
            seconds => write!(f, "{seconds}s"),
        }
    }
}

struct Name(Option<(&'static Protocol, &'static State)>);

impl Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            // A protocol with one state needs no name for it.
            Some((protocol, state)) if protocol.states.len() > 1 => {
                write!(f, "{} {}", protocol.name, state.name)
            }
            Some((protocol, _)) => f.write_str(protocol.name),
            None => f.write_str("unknown"),
        }
    }
}

fn put(out: &mut Vec<u8>, what: impl Display) {
    // Writing to a Vec can't fail.
    let _ = write!(out, "{what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn histogram() -> Histogram {
        let tcp = Protocol::named("tcp").unwrap();
        let icmp = Protocol::named("icmp").unwrap();
        let mut histogram = Histogram::default();
        for count in 0..8 {
            histogram.take(Some(20), Some((tcp, &tcp.states[count % 5])));
        }
        histogram.take(Some(4), Some((icmp, &icmp.states[0])));
        histogram.take(Some(500_000), None);
        histogram.take(None, None);
        histogram
    }

    #[test]
    fn bars_are_as_long_as_their_share() {
        let mut out = Vec::new();
        text(&mut out, &histogram(), Palette::PLAIN);
        let shown = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = shown.lines().map(str::trim).collect();
        let full = "█".repeat(30);
        assert_eq!(
            lines[1].split_whitespace().collect::<Vec<_>>(),
            ["under", "5s", "1", "███▊", "icmp", "1"]
        );
        assert_eq!(lines[2], "5s to 10s         0", "{shown}");
        assert!(
            lines[3].starts_with(&format!(
                "10s to 30s         8  {full}  tcp syn_sent 2, tcp syn_recv 2, tcp established 2, others 2"
            )),
            "{shown}"
        );
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with("5d or more         1  ███▊") && line.ends_with("unknown 1")),
            "{shown}"
        );
        assert!(
            shown.ends_with("in a flowtable, which keeps their timeouts\n"),
            "{shown}"
        );
    }

    #[test]
    fn every_entry_shows_in_a_bar() {
        assert_eq!((bar(0, 5).as_str(), bar(1, u64::MAX).as_str()), ("", "▏"));
        assert_eq!(bar(u64::MAX, u64::MAX), "█".repeat(30));
    }

    #[test]
    fn json_has_the_same() {
        let mut out = Vec::new();
        json(&mut out, &histogram(), None);
        let value: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            (&value["entries"], &value["without_timeout"]),
            (&11.into(), &1.into())
        );
        let first = serde_json::json!({
            "from_s": 0, "to_s": 5, "entries": 1,
            "by_state": [{"proto": "icmp", "protonum": 1, "timeout_state": "timeout", "entries": 1}],
        });
        assert_eq!(value["buckets"][0], first);
        let last = serde_json::json!({"from_s": 432_000, "entries": 1, "by_state": [{"entries": 1}]});
        assert_eq!(
            value["buckets"].as_array().and_then(|buckets| buckets.last()),
            Some(&last)
        );
    }
}
