//! Counts and counters, as text and as JSON.

use std::{fmt::Display, io::Write as _, time::Duration};

use super::{bytes, namespace};
use crate::{
    kernel::netns::Netns,
    netlink::stats::{Cpu, Table, counter, since, total},
};

/// An earlier reading and its age. A reading of another namespace counts as none.
pub type Last<'a> = Option<(&'a [Cpu], Duration)>;

/// Appends the number of entries of a namespace as a JSON object.
pub fn count_json(out: &mut Vec<u8>, table: Table, netns: Option<&Netns>) {
    out.push(b'{');
    namespace::json(out, netns);
    put(out, format_args!("\"entries\":{}", table.entries));
    if let Some(max) = table.max_entries {
        put(out, format_args!(",\"max_entries\":{max}"));
    }
    out.extend_from_slice(b"}\n");
}

/// Appends a line for each CPU in the form of `conntrack -S`, and one for the total: the counters, or with an
/// earlier reading, how much they grew per second since.
pub fn text(out: &mut Vec<u8>, cpus: &[Cpu], last: Last<'_>, column: Option<(&Netns, usize)>) {
    let grown = last.and_then(|(before, elapsed)| Some((since(cpus, before)?, elapsed)));
    let (shown, elapsed) = match &grown {
        Some((grown, elapsed)) => (grown.as_slice(), Some(*elapsed)),
        None => (cpus, None),
    };
    for cpu in shown {
        let counters = cpu
            .counters
            .iter()
            .map(|&(number, value)| (number, u64::from(value)));
        line(
            out,
            format_args!("cpu={:<4}\t", cpu.cpu),
            counters,
            elapsed,
            column,
        );
    }
    line(out, "total   \t", total(shown).into_iter(), elapsed, column);
}

fn line(
    out: &mut Vec<u8>,
    head: impl Display,
    counters: impl Iterator<Item = (u16, u64)>,
    elapsed: Option<Duration>,
    column: Option<(&Netns, usize)>,
) {
    if let Some((netns, width)) = column {
        namespace::column(out, netns, Some(width));
    }
    put(out, head);
    for (number, value) in counters {
        name(out, number);
        out.push(b'=');
        match elapsed {
            None => bytes::number(out, value),
            Some(elapsed) => put(out, format_args!("{:.1}/s", per_second(value, elapsed))),
        }
        // conntrack's lines end with a space.
        out.push(b' ');
    }
    out.push(b'\n');
}

/// Appends a reading of a namespace as a JSON object; with an earlier one, also how much each counter grew per
/// second since.
pub fn json(out: &mut Vec<u8>, cpus: &[Cpu], last: Last<'_>, netns: Option<&Netns>) {
    out.push(b'{');
    namespace::json(out, netns);
    let grown = last.and_then(|(before, elapsed)| Some((since(cpus, before)?, elapsed)));
    if let Some((_, elapsed)) = &grown {
        put(
            out,
            format_args!("\"interval_seconds\":{:.6},", elapsed.as_secs_f64()),
        );
    }
    out.extend_from_slice(b"\"cpus\":[");
    for (index, cpu) in cpus.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        put(out, format_args!("{{\"cpu\":{},\"counters\":", cpu.cpu));
        let whole = cpu
            .counters
            .iter()
            .map(|&(number, value)| (number, u64::from(value)));
        object(out, whole, bytes::number);
        if let Some((grown, elapsed)) = &grown {
            let counters = grown[index].counters.iter();
            out.extend_from_slice(b",\"per_second\":");
            object(
                out,
                counters.map(|&(number, value)| (number, u64::from(value))),
                |out, value| put(out, format_args!("{:.3}", per_second(value, *elapsed))),
            );
        }
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"total\":{\"counters\":");
    object(out, total(cpus).into_iter(), bytes::number);
    if let Some((grown, elapsed)) = &grown {
        out.extend_from_slice(b",\"per_second\":");
        object(out, total(grown).into_iter(), |out, value| {
            put(out, format_args!("{:.3}", per_second(value, *elapsed)));
        });
    }
    out.extend_from_slice(b"}}\n");
}

fn object(out: &mut Vec<u8>, counters: impl Iterator<Item = (u16, u64)>, write: impl Fn(&mut Vec<u8>, u64)) {
    out.push(b'{');
    for (index, (number, value)) in counters.enumerate() {
        out.extend_from_slice(if index > 0 { b",\"" } else { b"\"" });
        name(out, number);
        out.extend_from_slice(b"\":");
        write(out, value);
    }
    out.push(b'}');
}

/// A counter's name, or its attribute's number.
fn name(out: &mut Vec<u8>, number: u16) {
    match counter::name(number) {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => put(out, format_args!("counter{number}")),
    }
}

fn per_second(grown: u64, elapsed: Duration) -> f64 {
    grown as f64 / elapsed.as_secs_f64()
}

fn put(out: &mut Vec<u8>, what: impl Display) {
    // Writing to a Vec can't fail.
    let _ = write!(out, "{what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpus(invalid: u32) -> [Cpu; 2] {
        [0, 1].map(|cpu| Cpu {
            cpu,
            counters: vec![(4, invalid), (16, 7)],
        })
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn counters_are_in_conntracks_form_with_a_total() {
        assert_eq!(
            written(|out| text(out, &cpus(3), None, None)),
            "cpu=0   \tinvalid=3 counter16=7 \ncpu=1   \tinvalid=3 counter16=7 \ntotal   \tinvalid=6 counter16=14 \n"
        );
    }

    #[test]
    fn with_an_earlier_reading_they_are_rates() {
        let before = cpus(1);
        let last = Some((&before[..], Duration::from_millis(500)));
        assert_eq!(
            written(|out| text(out, &cpus(3), last, None)).lines().last(),
            Some("total   \tinvalid=8.0/s counter16=0.0/s ")
        );
    }

    #[test]
    fn json_has_both() {
        let before = cpus(1);
        let last = Some((&before[..], Duration::from_secs(2)));
        let value: serde_json::Value =
            serde_json::from_str(&written(|out| json(out, &cpus(3), last, None))).unwrap();
        assert_eq!(value["interval_seconds"], 2.0);
        assert_eq!(value["cpus"][1]["cpu"], 1);
        assert_eq!(value["cpus"][1]["counters"]["invalid"], 3);
        assert_eq!(value["cpus"][1]["per_second"]["invalid"], 1.0);
        assert_eq!(value["total"]["counters"]["invalid"], 6);
        assert_eq!(value["total"]["per_second"]["invalid"], 2.0);
        let value: serde_json::Value =
            serde_json::from_str(&written(|out| json(out, &cpus(3), None, None))).unwrap();
        assert!(value.get("interval_seconds").is_none());
        assert!(value["total"].get("per_second").is_none());
    }
}
