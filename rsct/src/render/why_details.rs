//! Details of an answer of `rsct why`, for people: both sides of a clash, NAT's searches, listeners.

use std::io::Write as _;

use crate::outside;

use rsct_common::{
    Tuple,
    record::{CauseFlags, CauseRecord},
};

use crate::causes::{
    Answer, lost,
    nat::{Search, Spread, Steps, range_of},
    tally::Listener,
};

use super::words;

/// The attempts of searches, `1: 3, 2-3: 40`, and their durations.
pub(super) fn spread(spread: &Spread) -> [(&'static str, String); 2] {
    let steps = |steps: &Steps, write: fn(u64) -> String| {
        let ranges: Vec<String> = steps
            .iter()
            .map(|(step, count)| {
                let (least, most) = range_of(*step);
                if least == most {
                    format!("{}: {count}", write(least))
                } else {
                    format!("{}-{}: {count}", write(least), write(most))
                }
            })
            .collect();
        ranges.join(", ")
    };
    [
        ("tried", steps(&spread.attempts, |number| number.to_string())),
        ("took", steps(&spread.nanoseconds, nanoseconds)),
    ]
}

/// `999 ns`, `12 µs`, `3 ms`, `2 s`.
fn nanoseconds(number: u64) -> String {
    match number {
        0..1_000 => format!("{number} ns"),
        1_000..1_000_000 => format!("{} µs", number / 1_000),
        1_000_000..1_000_000_000 => format!("{} ms", number / 1_000_000),
        _ => format!("{} s", number / 1_000_000_000),
    }
}

/// One of NAT's searches: the requested range and the result.
pub(super) fn search(out: &mut Vec<u8>, answer: &Answer<'_>, record: &CauseRecord) {
    let search = Search::of(record);
    let orig = Tuple::from_words(record.tuple);
    let _ = write!(
        out,
        "{} tried, {} taken, {}: {} ",
        search.attempts,
        search.taken,
        nanoseconds(search.duration_ns),
        answer.names.netns(record.netns)
    );
    words::tuple(out, &orig);
    out.extend_from_slice(if search.source {
        b", source"
    } else {
        b", destination"
    });
    if let Some((least, most)) = search.addresses {
        if least == most {
            let _ = write!(out, " to {least}");
        } else {
            let _ = write!(out, " to {least}-{most}");
        }
    }
    if let Some((least, most)) = search.ports {
        if least == most {
            let _ = write!(out, " port {least}");
        } else {
            let _ = write!(out, " ports {least}-{most}");
        }
    }
    for name in search.flag_names() {
        let _ = write!(out, " {name}");
    }
    let (address, port) = chosen(record);
    let _ = write!(out, ": got {address} port {port}");
}

/// The result of the search as packets carry it from then on: the reply's tuple reversed.
pub(super) fn chosen(record: &CauseRecord) -> (std::net::IpAddr, u16) {
    let reply = Tuple::from_words(record.other);
    if Search::of(record).source {
        (reply.dst_addr(), reply.dst_port())
    } else {
        (reply.src_addr(), reply.src_port())
    }
}

/// A listener, and the event that it lost.
pub(super) fn listener(out: &mut Vec<u8>, answer: &Answer<'_>, listener: &Listener) {
    let _ = write!(out, "{} to ", lost::event(listener.kind));
    if listener.portid == 0 {
        out.extend_from_slice(b"all listeners");
    } else {
        let program = answer.listeners.get(&(listener.netns, listener.portid));
        let program = program.map_or("an unknown program", String::as_str);
        let _ = write!(
            out,
            "{} (port {})",
            outside::shown(program.as_bytes()),
            listener.portid
        );
    }
    let _ = write!(out, " in {}", answer.names.netns(listener.netns));
}

/// The entry that already existed.
pub(super) fn rival(out: &mut Vec<u8>, record: &CauseRecord) {
    if record.flags & CauseFlags::CLASH == 0 {
        return;
    }
    out.extend_from_slice(b", reply ");
    words::ends(out, &Tuple::from_words(record.other));
    out.extend_from_slice(b"; existing entry ");
    words::tuple(out, &Tuple::from_words(record.rival[0]));
    out.extend_from_slice(b", reply ");
    words::ends(out, &Tuple::from_words(record.rival[1]));
}
