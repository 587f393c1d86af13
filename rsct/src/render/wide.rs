//! Aligned columns for people, with every attribute of an entry.
//!
//! The columns are as wide as IPv4 needs; wider text shifts the rest of its line, so that a table of any size is written
//! without buffering. After the columns, `name=value` lists the attributes that not every entry has: translated addresses,
//! then marks, zones and names, then the protocol's own, then times and bookkeeping.

mod details;

use std::{net::IpAddr, time::Duration};

use rsct_common::Tuple;

use super::{bytes, date::Date, event_line::Event, timeout_source};
use crate::{
    labels::LabelMap,
    names::{self, proto, status},
    netlink::conntrack::{Counters, Entry},
    timeouts::TimeoutSource,
};

/// Number of named states in each of the three protocols.
const STATES: u8 = 10;

/// Alignment of a column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Align {
    Left,
    Right,
}

/// A column.
struct Column {
    title: &'static str,
    width: usize,
    align: Align,
}

const fn column(title: &'static str, width: usize, align: Align) -> Column {
    Column { title, width, align }
}

const TIME: Column = column("TIME", 26, Align::Left);
const EVENT: Column = column("EVENT", 9, Align::Left);
const PROTO: Column = column("PROTO", 7, Align::Left);
const STATE: Column = column("STATE", 11, Align::Left);
const FLAGS: Column = column("FLAGS", 9, Align::Left);
const TIMEOUT: Column = column("TIMEOUT", 7, Align::Right);
const SOURCE: Column = column("SOURCE", 21, Align::Left);
const DESTINATION: Column = column("DESTINATION", 21, Align::Left);
const PACKETS: Column = column("PACKETS", 9, Align::Right);
const BYTES: Column = column("BYTES", 12, Align::Right);
const REPLY_PACKETS: Column = column("R-PACKETS", 9, Align::Right);
const REPLY_BYTES: Column = column("R-BYTES", 12, Align::Right);

const COLUMNS: [&Column; 10] = [
    &PROTO,
    &STATE,
    &FLAGS,
    &TIMEOUT,
    &SOURCE,
    &DESTINATION,
    &PACKETS,
    &BYTES,
    &REPLY_PACKETS,
    &REPLY_BYTES,
];

/// Optional columns before the others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Before {
    /// The width of a column for the namespace.
    pub netns: Option<usize>,
    /// True if entries carry the time of an event.
    pub time: bool,
    /// True if entries carry an event.
    pub event: bool,
}

/// Appends the columns' titles.
pub(crate) fn header(out: &mut Vec<u8>, before: Before) {
    let netns = before.netns.map(|width| column("NETNS", width, Align::Left));
    let before = [netns, before.time.then_some(TIME), before.event.then_some(EVENT)];
    let mut row = Row::begin(out);
    for column in before.iter().flatten().chain(COLUMNS) {
        row.cell(out, column, |out| out.extend_from_slice(column.title.as_bytes()));
    }
    out.extend_from_slice(b"DETAILS\n");
}

/// Appends the moment of an event, in its column.
pub(crate) fn time(out: &mut Vec<u8>, moment: Duration) {
    Row::begin(out).cell(out, &TIME, |out| {
        match Date::local(moment.as_secs()) {
            Some(date) => date.iso(out),
            None => bytes::number(out, moment.as_secs()),
        }
        out.push(b'.');
        bytes::padded(out, moment.subsec_micros(), 6);
    });
}

/// Appends the kind of an event, in its column.
pub(crate) fn event(out: &mut Vec<u8>, event: Event) {
    Row::begin(out).cell(out, &EVENT, |out| out.extend_from_slice(event.tag().trim_ascii()));
}

/// Appends an entry's line. `names`: of labels; a label without a name is shown by its number. `now_s`: seconds since the
/// epoch, for an entry's age.
pub(crate) fn line(
    out: &mut Vec<u8>,
    entry: &Entry<'_>,
    names: Option<&LabelMap>,
    now_s: u64,
    timeout_source: Option<&TimeoutSource<'_>>,
) {
    let protonum = entry.orig.protonum;
    let mut row = Row::begin(out);
    row.cell(out, &PROTO, |out| proto_name(out, protonum));
    row.cell(out, &STATE, |out| state(out, entry));
    row.cell(out, &FLAGS, |out| out.extend_from_slice(flag(entry.status)));
    row.cell(out, &TIMEOUT, |out| optional(out, entry.timeout));
    row.cell(out, &SOURCE, |out| {
        end(out, &entry.orig, entry.orig.src_addr(), entry.orig.src_port());
    });
    row.cell(out, &DESTINATION, |out| {
        end(out, &entry.orig, entry.orig.dst_addr(), entry.orig.dst_port());
    });
    counters(out, &mut row, &PACKETS, &BYTES, entry.counters_orig);
    counters(out, &mut row, &REPLY_PACKETS, &REPLY_BYTES, entry.counters_reply);
    if let Some(source) = timeout_source {
        timeout_source::detail(out, source);
    }
    details::details(out, entry, names, now_s);
    while out.last() == Some(&b' ') {
        out.pop();
    }
    out.push(b'\n');
}

fn state(out: &mut Vec<u8>, entry: &Entry<'_>) {
    let state = entry.protoinfo.and_then(|info| info.state());
    match state.map(|number| (number, names::state(entry.orig.protonum, number))) {
        None => out.push(b'-'),
        Some((number, Some(name))) if number < STATES => out.extend_from_slice(name.as_bytes()),
        Some((number, _)) => bytes::number(out, number),
    }
}

/// The most important status bit: conntrack's words in brackets.
fn flag(bits: Option<u32>) -> &'static [u8] {
    let Some(bits) = bits else { return b"-" };
    let has = |bit: u32| bits & bit != 0;
    if has(status::DYING) {
        b"DYING"
    } else if has(status::HW_OFFLOAD) {
        b"HW_OFFLOAD"
    } else if has(status::OFFLOAD) {
        b"OFFLOAD"
    } else if !has(status::SEEN_REPLY) {
        b"UNREPLIED"
    } else if has(status::ASSURED) {
        b"ASSURED"
    } else {
        b"-"
    }
}

fn counters(out: &mut Vec<u8>, row: &mut Row, packets: &Column, bytes: &Column, counters: Option<Counters>) {
    row.cell(out, packets, |out| optional(out, counters.map(|c| c.packets)));
    row.cell(out, bytes, |out| optional(out, counters.map(|c| c.bytes)));
}

fn proto_name(out: &mut Vec<u8>, protonum: u8) {
    match proto::name(protonum) {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => bytes::number(out, protonum),
    }
}

/// An address, with its port if the protocol has ports; IPv6 in brackets then.
fn end(out: &mut Vec<u8>, tuple: &Tuple, address: IpAddr, port: u16) {
    let has_port = proto::has_ports(tuple.protonum);
    let brackets = has_port && address.is_ipv6();
    if brackets {
        out.push(b'[');
    }
    bytes::address(out, address);
    if brackets {
        out.push(b']');
    }
    if has_port {
        out.push(b':');
        bytes::number(out, port);
    }
}

/// A line being written. Columns align with the titles: a later column with spare width makes up for one that was too
/// wide.
struct Row {
    start: usize,
    width: usize,
}

impl Row {
    fn begin(out: &[u8]) -> Self {
        Self {
            start: out.len(),
            width: 0,
        }
    }

    /// Writes the next column and a space.
    fn cell(&mut self, out: &mut Vec<u8>, column: &Column, write: impl FnOnce(&mut Vec<u8>)) {
        let start = out.len();
        write(out);
        self.width += column.width + 1;
        let missing = (self.start + self.width - 1).saturating_sub(out.len());
        out.resize(out.len() + missing, b' ');
        if column.align == Align::Right {
            out[start..].rotate_right(missing);
        }
        out.push(b' ');
    }
}

fn optional(out: &mut Vec<u8>, value: Option<impl itoa::Integer>) {
    match value {
        Some(value) => bytes::number(out, value),
        None => out.push(b'-'),
    }
}

#[cfg(test)]
mod tests {
    use super::{details::NS, *};
    use crate::netlink::conntrack::{SeqAdj, Synproxy, samples};

    /// The table of some entries, without columns that depend on the clock.
    fn table(change: impl Fn(&mut Entry<'_>)) -> Vec<String> {
        let names = LabelMap::parse(b"3 from-the-office\n");
        let mut out = Vec::new();
        header(&mut out, Before::default());
        for sample in samples::ALL {
            let payload = sample.payload();
            let mut entry = Entry::parse(&payload).unwrap();
            change(&mut entry);
            let start_s = entry.timestamps.and_then(|t| t.start_ns).map_or(0, |ns| ns / NS);
            line(&mut out, &entry, Some(&names), start_s + 7, None);
        }
        let text = String::from_utf8(out).unwrap();
        text.lines()
            .map(|line| match line.split_once(" start=") {
                Some((before, after)) => format!("{before} {}", after.split_once(' ').unwrap().1),
                None => line.to_owned(),
            })
            .collect()
    }

    #[test]
    fn columns_align_and_all_is_there() {
        let expected = "\
PROTO   STATE       FLAGS     TIMEOUT SOURCE                DESTINATION             PACKETS        BYTES R-PACKETS      R-BYTES DETAILS
tcp     ESTABLISHED ASSURED       299 192.0.2.1:1234        192.0.2.2:80                  0            0         0            0 mark=0x2a zone=7 tcp-orig=wscale:0,SACK_PERM,BE_LIBERAL tcp-reply=wscale:0,SACK_PERM,BE_LIBERAL age=7s status=SEEN_REPLY,ASSURED,CONFIRMED use=1 id=892925916
icmpv6  -           UNREPLIED      99 2001:db8::1           2001:db8::2                   0            0         0            0 type=128 code=0 icmp-id=77 age=7s status=CONFIRMED use=1 id=529926630
sctp    ESTABLISHED UNREPLIED     209 192.0.2.1:5000        192.0.2.2:3868                0            0         0            0 zone-orig=3 vtag-orig=0x11000000 vtag-reply=0x22000000 age=7s status=CONFIRMED use=1 id=3765643258
gre     -           UNREPLIED     179 192.0.2.1             192.0.2.2                     0            0         0            0 srckey=0xb dstkey=0x14 snat=203.0.113.9 age=7s status=CONFIRMED,SRC_NAT,SRC_NAT_DONE,DST_NAT_DONE use=1 id=2650410430
tcp     TIME_WAIT   ASSURED       119 127.0.0.1:57772       127.0.0.1:2121                4          219         4          216 labels=from-the-office,127 helper=ftp tcp-orig=wscale:10,WINDOW_SCALE,SACK_PERM,MAXACK_SET tcp-reply=wscale:10,WINDOW_SCALE,SACK_PERM,CLOSE_INIT,MAXACK_SET age=7s status=SEEN_REPLY,ASSURED,CONFIRMED,HELPER use=1 id=4082877589";
        assert_eq!(table(|_| ()), expected.lines().collect::<Vec<_>>());
    }

    #[test]
    fn what_is_too_wide_is_made_up_for_where_there_is_room() {
        let lines = table(|entry| {
            // The longest address, as the source.
            entry.orig.l3num = 10u16.to_ne_bytes();
            entry.orig.src = [0xab; 16];
            entry.orig.src[0] = 0xfe;
        });
        let (titles, line) = (&lines[0], &lines[1]);
        assert!(
            line.contains("[feab:abab:abab:abab:abab:abab:abab:abab]:1234 [c000:202::]:80 "),
            "{line}"
        );
        let end = titles.find("R-BYTES").unwrap() + "R-BYTES".len();
        assert_eq!(&line[end - 2..=end], " 0 ", "{line}");
    }

    #[test]
    fn what_is_rare_shows() {
        let lines = table(|entry| {
            entry.seqadj_orig = Some(SeqAdj {
                correction_pos: 9,
                offset_before: -1,
                offset_after: 2,
            });
            entry.master = Some(entry.orig);
            entry.synproxy = Some(Synproxy {
                isn: 1,
                its: 2,
                tsoff: 3,
            });
            entry.secctx = Some(b"a\x1b[31m");
            entry.status = Some(1 << 14);
        });
        for part in [
            "seqadj-orig=pos:9,before:-1,after:2",
            "master=tcp:192.0.2.1:1234>192.0.2.2:80",
            "synproxy=isn:1,its:2,tsoff:3",
            "secctx=a\\u{1b}[31m",
            " OFFLOAD ",
            "status=OFFLOAD",
        ] {
            assert!(lines[1].contains(part), "{part}: {}", lines[1]);
        }
    }
}
