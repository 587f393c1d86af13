//! Aligned columns for people, and everything that the kernel says about an entry.
//!
//! The columns are as wide as IPv4 needs; what is wider pushes what follows to the right, so that a table of any size is
//! written as it comes. Behind the columns stands `name=value` for all that not every entry has: first what
//! NAT made of the addresses, then marks, zones and names, then the protocol's own, then times and bookkeeping.

use std::{net::IpAddr, time::Duration};

use rsct_common::Tuple;

use super::{bytes, date::Date, event_line::Event};
use crate::{
    flow::names::{self, proto, status},
    labels::LabelMap,
    netlink::conntrack::{Counters, Entry, ProtoInfo, SeqAdj, Synproxy, Tcp},
};

/// How many states have names, in each of the three protocols.
const STATES: u8 = 10;
/// Nanoseconds in a second.
const NS: u64 = 1_000_000_000;

/// Where a column stands in its width.
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

/// Columns that stand before the others where there is reason to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// The width of a column for the namespace.
    pub netns: Option<usize>,
    /// Whether entries come with the moment of an event.
    pub time: bool,
    /// Whether entries come with an event.
    pub event: bool,
}

/// Appends the columns' titles.
pub fn header(out: &mut Vec<u8>, before: Before) {
    let netns = before.netns.map(|width| column("NETNS", width, Align::Left));
    let before = [netns, before.time.then_some(TIME), before.event.then_some(EVENT)];
    let mut row = Row::begin(out);
    for column in before.iter().flatten().chain(COLUMNS) {
        row.cell(out, column, |out| out.extend_from_slice(column.title.as_bytes()));
    }
    out.extend_from_slice(b"DETAILS\n");
}

/// Appends the moment of an event, in its column.
pub fn time(out: &mut Vec<u8>, moment: Duration) {
    Row::begin(out).cell(out, &TIME, |out| {
        match Date::local(moment.as_secs()) {
            Some(date) => date.iso(out),
            None => bytes::number(out, moment.as_secs()),
        }
        out.push(b'.');
        bytes::padded(out, moment.subsec_micros(), 6);
    });
}

/// Appends what happened, in its column.
pub fn event(out: &mut Vec<u8>, event: Event) {
    Row::begin(out).cell(out, &EVENT, |out| out.extend_from_slice(event.tag().trim_ascii()));
}

/// Appends an entry's line. `names`: for labels; one without a name is shown by its number. `now_s`: seconds since the
/// epoch, for an entry's age.
pub fn line(out: &mut Vec<u8>, entry: &Entry<'_>, names: Option<&LabelMap>, now_s: u64) {
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
    layer4(out, &entry.orig);
    nat(out, entry);
    hex(out, "mark", entry.mark.filter(|mark| *mark != 0));
    number(out, "zone", entry.zone);
    number(out, "zone-orig", entry.zone_orig);
    number(out, "zone-reply", entry.zone_reply);
    if entry.labels.is_some() {
        labels(out, entry, names);
    }
    if let Some(helper) = entry.helper {
        key(out, "helper");
        text(out, helper.name);
    }
    if let Some(master) = &entry.master {
        key(out, "master");
        proto_name(out, master.protonum);
        out.push(b':');
        end(out, master, master.src_addr(), master.src_port());
        out.push(b'>');
        end(out, master, master.dst_addr(), master.dst_port());
    }
    hex(out, "secmark", entry.secmark);
    if let Some(secctx) = entry.secctx {
        key(out, "secctx");
        text(out, secctx);
    }
    if let Some(info) = &entry.protoinfo {
        protoinfo(out, info);
    }
    seqadj(out, "seqadj-orig", entry.seqadj_orig);
    seqadj(out, "seqadj-reply", entry.seqadj_reply);
    // The kernel sends it of every TCP entry; zeros mean that SYNPROXY has nothing to do with this one.
    if let Some(synproxy) = entry.synproxy.filter(|synproxy| *synproxy != Synproxy::default()) {
        key(out, "synproxy");
        parts(
            out,
            &[
                ("isn:", synproxy.isn.into()),
                ("its:", synproxy.its.into()),
                ("tsoff:", synproxy.tsoff.into()),
            ],
        );
    }
    times(out, entry, now_s);
    if let Some(bits) = entry.status {
        key(out, "status");
        commas(out, status::names(bits), |out, name| {
            out.extend_from_slice(name.as_bytes());
        });
    }
    number(out, "use", entry.use_count);
    number(out, "id", entry.id);
    let mut unknown = entry.unknown().peekable();
    if unknown.peek().is_some() {
        key(out, "unknown");
        commas(out, unknown, |out, attr| bytes::number(out, attr.kind));
    }
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

/// The bit that matters most: the words that conntrack has in brackets.
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

/// What a protocol without ports has instead.
fn layer4(out: &mut Vec<u8>, tuple: &Tuple) {
    if proto::is_icmp(tuple.protonum) {
        let (kind, code) = tuple.icmp_type_code();
        number(out, "type", Some(kind));
        number(out, "code", Some(code));
        number(out, "icmp-id", Some(tuple.src_port()));
    } else if tuple.protonum == proto::GRE {
        hex(out, "srckey", Some(tuple.src_port().into()));
        hex(out, "dstkey", Some(tuple.dst_port().into()));
    }
}

/// What the addresses become on the way, where they don't stay: replies come from and go to those.
fn nat(out: &mut Vec<u8>, entry: &Entry<'_>) {
    let (orig, reply) = (&entry.orig, &entry.reply);
    let l4 = proto::has_ports(orig.protonum) || orig.protonum == proto::GRE;
    if reply.dst != orig.src || (l4 && reply.dst_l4 != orig.src_l4) {
        key(out, "snat");
        end(out, reply, reply.dst_addr(), reply.dst_port());
    }
    if reply.src != orig.dst || (l4 && reply.src_l4 != orig.dst_l4) {
        key(out, "dnat");
        end(out, reply, reply.src_addr(), reply.src_port());
    }
    if proto::is_icmp(orig.protonum) && reply.src_l4 != orig.src_l4 {
        number(out, "reply-icmp-id", Some(reply.src_port()));
    }
}

fn labels(out: &mut Vec<u8>, entry: &Entry<'_>, names: Option<&LabelMap>) {
    key(out, "labels");
    commas(out, entry.label_bits(), |out, bit| {
        match names.and_then(|names| names.name(bit)) {
            Some(name) => out.extend_from_slice(name.as_bytes()),
            None => bytes::number(out, bit),
        }
    });
}

fn protoinfo(out: &mut Vec<u8>, info: &ProtoInfo) {
    match info {
        ProtoInfo::Tcp(tcp) => tcp_ends(out, tcp),
        ProtoInfo::Sctp(sctp) => {
            hex(out, "vtag-orig", sctp.vtag_orig);
            hex(out, "vtag-reply", sctp.vtag_reply);
        }
        ProtoInfo::Dccp(dccp) => {
            if let Some(role) = dccp.role {
                key(out, "role");
                out.extend_from_slice(role.name().as_bytes());
            }
            number(out, "handshake-seq", dccp.handshake_seq);
        }
    }
}

/// `IP_CT_TCP_FLAG_*` (include/uapi/linux/netfilter/nf_conntrack_tcp.h), the lowest bit first.
const TCP_FLAGS: [&str; 8] = [
    "WINDOW_SCALE",
    "SACK_PERM",
    "CLOSE_INIT",
    "BE_LIBERAL",
    "DATA_UNACKNOWLEDGED",
    "MAXACK_SET",
    "EXP_CHALLENGE_ACK",
    "SIMULTANEOUS_OPEN",
];

fn tcp_ends(out: &mut Vec<u8>, tcp: &Tcp) {
    for (name, wscale, flags) in [
        ("tcp-orig", tcp.wscale_orig, tcp.flags_orig),
        ("tcp-reply", tcp.wscale_reply, tcp.flags_reply),
    ] {
        if wscale.is_none() && flags.is_none() {
            continue;
        }
        key(out, name);
        if let Some(wscale) = wscale {
            out.extend_from_slice(b"wscale:");
            bytes::number(out, wscale);
        }
        let set = flags.map_or(0, |flags| flags.flags);
        for (_, flag) in (0..).zip(TCP_FLAGS).filter(|(bit, _)| set >> bit & 1 == 1) {
            if out.last() != Some(&b'=') {
                out.push(b',');
            }
            out.extend_from_slice(flag.as_bytes());
        }
    }
}

fn seqadj(out: &mut Vec<u8>, name: &'static str, adj: Option<SeqAdj>) {
    if let Some(adj) = adj {
        key(out, name);
        parts(
            out,
            &[
                ("pos:", adj.correction_pos.into()),
                ("before:", adj.offset_before.into()),
                ("after:", adj.offset_after.into()),
            ],
        );
    }
}

/// When the entry came and went, in local time, and for how many seconds it has been there.
fn times(out: &mut Vec<u8>, entry: &Entry<'_>, now_s: u64) {
    let Some(timestamps) = entry.timestamps else {
        return;
    };
    let stop_ns = timestamps.stop_ns.filter(|stop_ns| *stop_ns != 0);
    for (name, ns) in [("start", timestamps.start_ns), ("stop", stop_ns)] {
        if let Some(ns) = ns {
            key(out, name);
            match Date::local(ns / NS) {
                Some(date) => date.iso(out),
                None => bytes::number(out, ns / NS),
            }
        }
    }
    if let Some(start_ns) = timestamps.start_ns {
        let stop_s = stop_ns.map_or(now_s, |stop_ns| stop_ns / NS);
        key(out, "age");
        bytes::number(out, stop_s.saturating_sub(start_ns / NS));
        out.push(b's');
    }
}

fn proto_name(out: &mut Vec<u8>, protonum: u8) {
    match proto::name(protonum) {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => bytes::number(out, protonum),
    }
}

/// An address, with its port where the protocol has such; of IPv6 in brackets then.
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

/// A line under way. Columns stand where the titles stand: what was too wide for its own is made up for as soon as
/// one behind it has room.
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

    /// Writes the next column, with a space behind it.
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

/// Begins a detail, which ends where the next begins.
fn key(out: &mut Vec<u8>, name: &'static str) {
    if out.last() != Some(&b' ') {
        out.push(b' ');
    }
    out.extend_from_slice(name.as_bytes());
    out.push(b'=');
}

fn number(out: &mut Vec<u8>, name: &'static str, value: Option<impl itoa::Integer>) {
    if let Some(value) = value {
        key(out, name);
        bytes::number(out, value);
    }
}

fn hex(out: &mut Vec<u8>, name: &'static str, value: Option<u32>) {
    if let Some(value) = value {
        key(out, name);
        bytes::hex(out, value.into());
    }
}

fn parts(out: &mut Vec<u8>, parts: &[(&'static str, i64)]) {
    commas(out, parts.iter(), |out, (name, value)| {
        out.extend_from_slice(name.as_bytes());
        bytes::number(out, *value);
    });
}

fn commas<T>(out: &mut Vec<u8>, items: impl Iterator<Item = T>, mut write: impl FnMut(&mut Vec<u8>, T)) {
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item);
    }
}

/// Text from outside: what a terminal would take for a command, and what is no text, is replaced.
fn text(out: &mut Vec<u8>, text: &[u8]) {
    for char in String::from_utf8_lossy(text).chars() {
        let shown = if char.is_control() { '\u{fffd}' } else { char };
        out.extend_from_slice(shown.encode_utf8(&mut [0; 4]).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::conntrack::samples;

    /// The table of some entries, less what depends on the clock.
    fn table(change: impl Fn(&mut Entry<'_>)) -> Vec<String> {
        let names = LabelMap::parse(b"3 from-the-office\n");
        let mut out = Vec::new();
        header(&mut out, Before::default());
        for sample in samples::ALL {
            let payload = sample.payload();
            let mut entry = Entry::parse(&payload).unwrap();
            change(&mut entry);
            let start_s = entry.timestamps.and_then(|t| t.start_ns).map_or(0, |ns| ns / NS);
            line(&mut out, &entry, Some(&names), start_s + 7);
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
            // The longest address there is, in the place of the source.
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
            "secctx=a\u{fffd}[31m",
            " OFFLOAD ",
            "status=OFFLOAD",
        ] {
            assert!(lines[1].contains(part), "{part}: {}", lines[1]);
        }
    }
}
