//! The element that `conntrack -o xml` prints for an entry.
//!
//! The same bytes, with conntrack's omissions and errors corrected: the states of SCTP and DCCP have their own names, ICMP
//! and ICMPv6 have `<type>`, `<code>` and `<id>`, offloaded entries have `<offload/>` or `<hw_offload/>`, and text from
//! outside (a helper's name, a security context, a namespace's name) is escaped, so that the output is always XML.

use std::time::Duration;

use rsct_common::Tuple;

use super::{bytes, date::Date, event_line::Event};
use crate::{
    labels::LabelMap,
    names::{self, proto, status},
    netlink::conntrack::{Counters, Entry},
    outside,
};

/// The text before the first element.
pub(crate) const HEADER: &[u8] = b"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<conntrack>\n";
/// The text after the last element.
pub(crate) const FOOTER: &[u8] = b"</conntrack>\n";

/// Number of named states in each of the three protocols.
const STATES: u8 = 10;
/// Nanoseconds in a second.
const NS: u64 = 1_000_000_000;

/// Options, and facts that the entry does not contain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape<'a> {
    /// `-o ktimestamp`: show when the entry was confirmed and destroyed.
    pub ktimestamp: bool,
    /// `-o labels`: show the labels with these names.
    pub labels: Option<&'a LabelMap>,
    /// The event.
    pub event: Option<Event>,
    /// `-o timestamp`: the time of the event, in seconds since the epoch; shown in local time.
    pub when_s: Option<u64>,
    /// The name of the network namespace, if it is printed.
    pub netns: Option<&'a str>,
}

/// Appends the element, with a newline. `now`: since the epoch, for an entry's age.
pub(crate) fn flow(out: &mut Vec<u8>, entry: &Entry<'_>, shape: Shape<'_>, now: Duration) {
    out.extend_from_slice(b"<flow");
    if let Some(event) = shape.event {
        out.extend_from_slice(b" type=\"");
        out.extend_from_slice(event.name().as_bytes());
        out.push(b'"');
    }
    if let Some(netns) = shape.netns {
        out.extend_from_slice(b" netns=\"");
        text(out, netns.as_bytes());
        out.push(b'"');
    }
    out.push(b'>');
    // conntrack shows the counters of both directions if it has those of the original one.
    let counters_reply = entry
        .counters_orig
        .map(|_| entry.counters_reply.unwrap_or_default());
    direction(
        out,
        b"<meta direction=\"original\">",
        &entry.orig,
        entry.zone_orig,
        entry.counters_orig,
    );
    direction(
        out,
        b"<meta direction=\"reply\">",
        &entry.reply,
        entry.zone_reply,
        counters_reply,
    );
    independent(out, entry, shape, now);
    if let Some(date) = shape.when_s.and_then(Date::local) {
        when(out, date);
    }
    if let Some(helper) = entry.helper {
        element(out, b"helper", |out| text(out, helper.name));
    }
    out.extend_from_slice(b"</flow>\n");
}

fn direction(
    out: &mut Vec<u8>,
    open: &'static [u8],
    tuple: &Tuple,
    zone: Option<u16>,
    counters: Option<Counters>,
) {
    bytes::short(out, open);
    let family = tuple.family();
    let family_name = match family {
        2 => "ipv4",
        10 => "ipv6",
        _ => "unknown",
    };
    layer(out, b"<layer3 protonum=\"", family, family_name);
    element(out, b"src", |out| bytes::address(out, tuple.src_addr()));
    element(out, b"dst", |out| bytes::address(out, tuple.dst_addr()));
    out.extend_from_slice(b"</layer3>");
    let protonum = tuple.protonum;
    layer(
        out,
        b"<layer4 protonum=\"",
        protonum,
        proto::name(protonum).unwrap_or("unknown"),
    );
    if proto::has_ports(protonum) {
        number(out, b"sport", Some(tuple.src_port()));
        number(out, b"dport", Some(tuple.dst_port()));
    } else if proto::is_icmp(protonum) {
        let (kind, code) = tuple.icmp_type_code();
        number(out, b"type", Some(kind));
        number(out, b"code", Some(code));
        number(out, b"id", Some(tuple.src_port()));
    } else if protonum == proto::GRE {
        element(out, b"srckey", |out| bytes::hex(out, tuple.src_port().into()));
        element(out, b"dstkey", |out| bytes::hex(out, tuple.dst_port().into()));
    }
    out.extend_from_slice(b"</layer4>");
    number(out, b"zone", zone);
    if let Some(counters) = counters {
        out.extend_from_slice(b"<counters>");
        number(out, b"packets", Some(counters.packets));
        number(out, b"bytes", Some(counters.bytes));
        out.extend_from_slice(b"</counters>");
    }
    out.extend_from_slice(b"</meta>");
}

/// The element of both directions; absent if it would be empty.
fn independent(out: &mut Vec<u8>, entry: &Entry<'_>, shape: Shape<'_>, now: Duration) {
    const OPEN: &[u8] = b"<meta direction=\"independent\">";
    bytes::short(out, OPEN);
    let empty = out.len();
    if let Some(state) = entry.protoinfo.and_then(|info| info.state()) {
        let known = names::state(entry.orig.protonum, state).filter(|_| state < STATES);
        element(out, b"state", |out| {
            bytes::short(out, known.unwrap_or("NONE").as_bytes());
        });
    }
    number(out, b"timeout", entry.timeout);
    number(out, b"mark", entry.mark);
    if let (Some(names), Some(_)) = (shape.labels, entry.labels) {
        element(out, b"labels", |out| {
            for name in entry.label_bits().filter_map(|bit| names.name(bit)) {
                element(out, b"label", |out| out.extend_from_slice(name.as_bytes()));
            }
        });
    }
    number(out, b"secmark", entry.secmark);
    if let Some(secctx) = entry.secctx {
        element(out, b"secctx", |out| text(out, secctx));
    }
    number(out, b"zone", entry.zone);
    number(out, b"use", entry.use_count);
    number(out, b"id", entry.id);
    if let Some(bits) = entry.status {
        for (bit, element) in [
            (status::ASSURED, b"<assured/>".as_slice()),
            (status::OFFLOAD, b"<offload/>"),
            (status::HW_OFFLOAD, b"<hw_offload/>"),
        ] {
            if bits & bit != 0 {
                bytes::short(out, element);
            }
        }
        if bits & status::SEEN_REPLY == 0 {
            out.extend_from_slice(b"<unreplied/>");
        }
    }
    timestamps(out, entry, shape.ktimestamp, now);
    if out.len() > empty {
        out.extend_from_slice(b"</meta>");
    } else {
        out.truncate(empty - OPEN.len());
    }
}

fn timestamps(out: &mut Vec<u8>, entry: &Entry<'_>, shown: bool, now: Duration) {
    let Some(timestamps) = entry.timestamps else {
        return;
    };
    let (start, stop) = (timestamps.start_ns, timestamps.stop_ns);
    if shown && (start.is_some() || stop.is_some()) {
        out.extend_from_slice(b"<timestamp>");
        number(out, b"start", start);
        number(out, b"stop", stop);
        out.extend_from_slice(b"</timestamp>");
    }
    // Not quite a line's delta-time, which subtracts truncated seconds for destroyed entries too.
    let age_s = match (start, stop) {
        (Some(start), Some(stop)) => Some(stop.wrapping_sub(start) / NS),
        (Some(start), None) => Some(now.as_secs().wrapping_sub(start / NS)),
        _ => None,
    };
    number(out, b"deltatime", age_s);
}

/// The fields of a moment; the month and the day of the week count from 1.
pub(super) fn when(out: &mut Vec<u8>, date: Date) {
    let two_digits = |out: &mut Vec<u8>, value: u8| out.extend([b'0' + value / 10 % 10, b'0' + value % 10]);
    element(out, b"when", |out| {
        number(out, b"hour", Some(date.hour));
        element(out, b"min", |out| two_digits(out, date.minute));
        element(out, b"sec", |out| two_digits(out, date.second));
        number(out, b"wday", Some(date.weekday));
        number(out, b"day", Some(date.day));
        number(out, b"month", Some(date.month));
        number(out, b"year", Some(date.year));
    });
}

/// Opens the element of a layer.
#[inline]
fn layer(out: &mut Vec<u8>, open: &'static [u8], protonum: impl itoa::Integer, name: &'static str) {
    bytes::short(out, open);
    bytes::number(out, protonum);
    out.extend_from_slice(b"\" protoname=\"");
    bytes::short(out, name.as_bytes());
    out.extend_from_slice(b"\">");
}

#[inline]
fn element(out: &mut Vec<u8>, name: &'static [u8], content: impl FnOnce(&mut Vec<u8>)) {
    out.push(b'<');
    bytes::short(out, name);
    out.push(b'>');
    content(out);
    out.extend_from_slice(b"</");
    bytes::short(out, name);
    out.push(b'>');
}

#[inline]
fn number(out: &mut Vec<u8>, name: &'static [u8], value: Option<impl itoa::Integer>) {
    if let Some(value) = value {
        element(out, name, |out| bytes::number(out, value));
    }
}

/// Text from outside, as character data or an attribute's value. Characters that XML cannot hold are replaced.
pub(super) fn text(out: &mut Vec<u8>, text: &[u8]) {
    const REPLACEMENT: &str = "\u{fffd}";
    for chunk in text.utf8_chunks() {
        for char in chunk.valid().chars() {
            let escaped = match char {
                '&' => "&amp;",
                '<' => "&lt;",
                '>' => "&gt;",
                '"' => "&quot;",
                '\t' => "&#9;",
                '\n' => "&#10;",
                '\r' => "&#13;",
                '\0'..' ' | '\u{fffe}' | '\u{ffff}' => REPLACEMENT,
                _ if outside::is_harmful(char) => {
                    out.extend_from_slice(format!("&#{};", u32::from(char)).as_bytes());
                    continue;
                }
                _ => {
                    out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                    continue;
                }
            };
            out.extend_from_slice(escaped.as_bytes());
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice(REPLACEMENT.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_from_outside_is_escaped() {
        let mut out = Vec::new();
        text(&mut out, b"a<b>&\"c\"\n\x01\xff\xef\xbf\xbf\xc3\xa4");
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "a&lt;b&gt;&amp;&quot;c&quot;&#10;\u{fffd}\u{fffd}\u{fffd}\u{e4}"
        );
    }

    #[test]
    fn a_moment_is_taken_apart() {
        let mut out = Vec::new();
        let date = Date {
            year: 2026,
            month: 11,
            day: 8,
            weekday: 1,
            hour: 9,
            minute: 6,
            second: 0,
        };
        when(&mut out, date);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "<when><hour>9</hour><min>06</min><sec>00</sec><wday>1</wday><day>8</day><month>11</month>\
             <year>2026</year></when>"
        );
    }
}
