//! The line that `conntrack -L` prints for an entry, byte for byte.
//!
//! Scripts read these lines, so their oddities stay: a space after every field but the last, `NONE` for an unknown state,
//! zero ports if the kernel sent none.

use rsct_common::Tuple;

use super::{bytes, date, event_line::Event};
use crate::{
    labels::LabelMap,
    names::{self, proto, status},
    netlink::conntrack::{Counters, Entry},
    outside,
};

/// Number of named states in each of the three protocols.
const STATES: u8 = 10;
/// Nanoseconds in a second.
const NS: u64 = 1_000_000_000;

/// The options `extended`, `id`, `ktimestamp` and `labels` of `conntrack -o`, and the first column of `conntrack -E`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape<'a> {
    /// Begin with the address family.
    pub extended: bool,
    /// Show the entry's id.
    pub id: bool,
    /// Show when the entry was confirmed and destroyed, in local time.
    pub ktimestamp: bool,
    /// Show the labels with these names. (conntrack shows no others; if an entry has none of them, it writes the word
    /// `labels` alone.)
    pub labels: Option<&'a LabelMap>,
    /// Begin with the event.
    pub event: Option<Event>,
    /// Write names from outside unescaped, as conntrack does.
    pub as_it_is: bool,
}

/// Appends the line, with its newline. `now_s`: seconds since the epoch, for an entry's age.
pub(crate) fn line(out: &mut Vec<u8>, entry: &Entry<'_>, shape: Shape<'_>, now_s: u64) {
    if let Some(event) = shape.event {
        out.extend_from_slice(event.tag());
    }
    if shape.extended {
        let family = entry.family().map_or("unknown", |family| family.name());
        name_and_number(out, family, entry.orig.family());
    }
    let protonum = entry.orig.protonum;
    name_and_number(out, proto::name(protonum).unwrap_or("unknown"), protonum);
    if let Some(timeout) = entry.timeout {
        bytes::number(out, timeout);
        out.push(b' ');
    }
    state(out, entry);
    direction(
        out,
        &entry.orig,
        b"zone-orig=",
        entry.zone_orig,
        entry.counters_orig,
    );
    let status = entry.status;
    if status.is_some_and(|bits| bits & status::SEEN_REPLY == 0) {
        out.extend_from_slice(b"[UNREPLIED] ");
    }
    direction(
        out,
        &entry.reply,
        b"zone-reply=",
        entry.zone_reply,
        entry.counters_reply,
    );
    if let Some(bits) = status {
        bytes::short(
            out,
            if bits & status::HW_OFFLOAD != 0 {
                b"[HW_OFFLOAD] "
            } else if bits & status::OFFLOAD != 0 {
                b"[OFFLOAD] "
            } else if bits & status::ASSURED != 0 {
                b"[ASSURED] ".as_slice()
            } else {
                b""
            },
        );
    }
    number(out, b"mark=", entry.mark);
    number(out, b"secmark=", entry.secmark);
    text(out, b"secctx=", entry.secctx, shape);
    number(out, b"zone=", entry.zone);
    number(out, b"delta-time=", age_s(entry, now_s));
    if shape.ktimestamp {
        let timestamps = entry.timestamps.unwrap_or_default();
        time(out, b"[start=", timestamps.start_ns);
        time(out, b"[stop=", timestamps.stop_ns);
    }
    text(out, b"helper=", entry.helper.map(|helper| helper.name), shape);
    number(out, b"use=", entry.use_count);
    if shape.id {
        number(out, b"id=", entry.id);
    }
    if let (Some(names), Some(_)) = (shape.labels, entry.labels) {
        labels(out, entry, names, shape);
    }
    // The last field's space becomes the line's end.
    if let Some(last) = out.last_mut() {
        *last = b'\n';
    }
}

fn state(out: &mut Vec<u8>, entry: &Entry<'_>) {
    if let Some(number) = entry.protoinfo.and_then(|info| info.state()) {
        let known = if number < STATES {
            names::state(entry.orig.protonum, number)
        } else {
            None
        };
        bytes::short(out, known.unwrap_or("NONE").as_bytes());
        out.push(b' ');
    }
}

/// Whole seconds from the entry's confirmation to its destruction or now; conntrack subtracts truncated seconds, not
/// times.
fn age_s(entry: &Entry<'_>, now_s: u64) -> Option<u64> {
    let timestamps = entry.timestamps?;
    let start_s = timestamps.start_ns? / NS;
    let stop_s = match timestamps.stop_ns {
        None | Some(0) => now_s,
        Some(stop_ns) => stop_ns / NS,
    };
    Some(stop_s.wrapping_sub(start_s))
}

/// A moment in local time.
#[cold]
fn time(out: &mut Vec<u8>, key: &'static [u8], ns: Option<u64>) {
    if let Some(ns) = ns {
        out.extend_from_slice(key);
        date::ctime(out, ns / NS);
        out.extend_from_slice(b"] ");
    }
}

/// The names of the labels. The field's space replaces the comma after the last one, or any other last character.
#[cold]
fn labels(out: &mut Vec<u8>, entry: &Entry<'_>, names: &LabelMap, shape: Shape<'_>) {
    out.extend_from_slice(b"labels=");
    for name in entry.label_bits().filter_map(|bit| names.name(bit)) {
        name_of_others(out, name.as_bytes(), shape);
        out.push(b',');
    }
    if let Some(last) = out.last_mut() {
        *last = b' ';
    }
}

fn direction(
    out: &mut Vec<u8>,
    tuple: &Tuple,
    zone_key: &'static [u8],
    zone: Option<u16>,
    counters: Option<Counters>,
) {
    out.extend_from_slice(b"src=");
    bytes::address(out, tuple.src_addr());
    out.extend_from_slice(b" dst=");
    bytes::address(out, tuple.dst_addr());
    out.push(b' ');
    if proto::has_ports(tuple.protonum) {
        number(out, b"sport=", Some(tuple.src_port()));
        number(out, b"dport=", Some(tuple.dst_port()));
    } else if proto::is_icmp(tuple.protonum) {
        let (kind, code) = tuple.icmp_type_code();
        number(out, b"type=", Some(kind));
        number(out, b"code=", Some(code));
        number(out, b"id=", Some(tuple.src_port()));
    } else if tuple.protonum == proto::GRE {
        out.extend_from_slice(b"srckey=");
        bytes::hex(out, tuple.src_port().into());
        out.extend_from_slice(b" dstkey=");
        bytes::hex(out, tuple.dst_port().into());
        out.push(b' ');
    }
    number(out, zone_key, zone);
    if let Some(counters) = counters {
        number(out, b"packets=", Some(counters.packets));
        number(out, b"bytes=", Some(counters.bytes));
    }
}

/// A name in eight columns, and its number.
#[inline]
fn name_and_number(out: &mut Vec<u8>, name: &str, value: impl itoa::Integer) {
    const BLANKS: &[u8; 8] = b"        ";
    bytes::short(out, name.as_bytes());
    bytes::short(out, &BLANKS[name.len().min(8)..]);
    out.push(b' ');
    bytes::number(out, value);
    out.push(b' ');
}

#[inline]
fn number(out: &mut Vec<u8>, key: &'static [u8], value: Option<impl itoa::Integer>) {
    if let Some(value) = value {
        bytes::short(out, key);
        bytes::number(out, value);
        out.push(b' ');
    }
}

fn text(out: &mut Vec<u8>, key: &'static [u8], value: Option<&[u8]>, shape: Shape<'_>) {
    if let Some(value) = value {
        bytes::short(out, key);
        name_of_others(out, value, shape);
        out.push(b' ');
    }
}

fn name_of_others(out: &mut Vec<u8>, name: &[u8], shape: Shape<'_>) {
    if shape.as_it_is {
        out.extend_from_slice(name);
    } else {
        out.extend_from_slice(outside::shown(name).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::conntrack::samples;

    #[test]
    fn lines_are_conntracks() {
        for sample in samples::ALL {
            let payload = sample.payload();
            let entry = Entry::parse(&payload).unwrap();
            let now_s = entry
                .timestamps
                .and_then(|t| t.start_ns)
                .map_or(0, |ns| ns / 1_000_000_000);
            let mut out = Vec::new();
            line(
                &mut out,
                &entry,
                Shape {
                    extended: true,
                    id: true,
                    ..Shape::default()
                },
                now_s,
            );
            assert_eq!(String::from_utf8(out).unwrap().trim_end(), sample.line);
        }
    }

    #[test]
    fn a_state_without_a_name_is_none() {
        let payload = samples::TCP.payload();
        let mut entry = Entry::parse(&payload).unwrap();
        if let Some(crate::netlink::conntrack::ProtoInfo::Tcp(tcp)) = &mut entry.protoinfo {
            tcp.state = Some(77);
        }
        let mut out = Vec::new();
        line(&mut out, &entry, Shape::default(), 0);
        assert!(out.windows(6).any(|w| w == b" NONE "));
    }
}
