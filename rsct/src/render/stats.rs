//! Counts and counters, as text and as JSON.

use std::{fmt::Display, io::Write as _, time::Duration};

use super::{bytes, namespace};
use crate::{
    kernel::netns::NetnsName,
    netlink::stats::{Cpu, Table, counter, since, total},
    schema::{
        self,
        common::{Map, Word},
        settings::{Count, CpuStats, Stats, TotalStats},
    },
};

/// An earlier reading and its age. A reading of another namespace counts as none.
pub(crate) type Last<'a> = Option<(&'a [Cpu], Duration)>;

/// Appends the number of entries of a namespace as a JSON object.
pub fn count_json(out: &mut Vec<u8>, table: Table, netns: Option<&NetnsName>) {
    let object = Count {
        schema: schema::VERSION,
        netns: netns.into(),
        entries: table.entries,
        max_entries: table.max_entries,
    };
    bytes::json_line(out, &object);
}

/// Appends a line for each CPU in the form of `conntrack -S`, and one for the total: the counters, or with an
/// earlier reading, how much they grew per second since.
pub fn text(out: &mut Vec<u8>, cpus: &[Cpu], last: Last<'_>, column: Option<(&NetnsName, usize)>) {
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
    column: Option<(&NetnsName, usize)>,
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
pub fn json(out: &mut Vec<u8>, cpus: &[Cpu], last: Last<'_>, netns: Option<&NetnsName>) {
    let grown = last.and_then(|(before, elapsed)| Some((since(cpus, before)?, elapsed)));
    let of_cpu = |(index, cpu): (usize, &Cpu)| CpuStats {
        cpu: cpu.cpu,
        counters: whole(cpu.counters.iter().map(widened)),
        growth_per_second: grown
            .as_ref()
            .map(|(grown, elapsed)| rates(grown[index].counters.iter().map(widened), *elapsed)),
    };
    let object = Stats {
        netns: netns.into(),
        interval_s: grown
            .as_ref()
            .map(|(_, elapsed)| rounded(elapsed.as_secs_f64(), 1e6)),
        cpus: cpus.iter().enumerate().map(of_cpu).collect(),
        total: TotalStats {
            counters: whole(total(cpus).into_iter()),
            growth_per_second: grown
                .as_ref()
                .map(|(grown, elapsed)| rates(total(grown).into_iter(), *elapsed)),
        },
    };
    bytes::json_line(out, &object);
}

fn widened(&(number, value): &(u16, u32)) -> (u16, u64) {
    (number, value.into())
}

fn whole(counters: impl Iterator<Item = (u16, u64)>) -> Map<u64> {
    counters.map(|(number, value)| (text_of(number), value)).collect()
}

fn rates(counters: impl Iterator<Item = (u16, u64)>, elapsed: Duration) -> Map<f64> {
    counters
        .map(|(number, value)| (text_of(number), rounded(per_second(value, elapsed), 1e3)))
        .collect()
}

fn rounded(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}

fn text_of(number: u16) -> Word {
    match counter::name(number) {
        Some(name) => name.into(),
        None => format!("counter{number}").into(),
    }
}

/// A counter's name, or its attribute's number.
fn name(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(text_of(number).as_bytes());
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
        assert_eq!(value["interval_s"], 2.0);
        assert_eq!(value["cpus"][1]["cpu"], 1);
        assert_eq!(value["cpus"][1]["counters"]["invalid"], 3);
        assert_eq!(value["cpus"][1]["growth_per_second"]["invalid"], 1.0);
        assert_eq!(value["total"]["counters"]["invalid"], 6);
        assert_eq!(value["total"]["growth_per_second"]["invalid"], 2.0);
        let value: serde_json::Value =
            serde_json::from_str(&written(|out| json(out, &cpus(3), None, None))).unwrap();
        assert!(value.get("interval_s").is_none());
        assert!(value["total"].get("growth_per_second").is_none());
    }
}
