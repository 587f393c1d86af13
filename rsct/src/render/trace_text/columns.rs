//! The aligned columns before the event.

use rsct_common::{
    Tuple,
    record::{CauseFlags, EntryFlags, EntryKind, EntryRecord, PacketFlags, PacketRecord},
};

use crate::{
    causes::Why,
    flow::Flow,
    names::{self, proto},
};

use super::{direction::Direction, look::Look};
use crate::render::{bytes, words};

/// Widths that two IPv4 ends with ports mostly fit: in the default layout, and in the wide one.
const TUPLE: usize = 44;
const TUPLE_WIDE: usize = 51;
const TUPLE_TITLE: &str = "TUPLE (> original, < reply)";
const INTERFACE: usize = 5;
/// The arrow of the original direction.
const TO: &[u8] = b" > ";

impl Look {
    pub(super) fn header(&self, out: &mut Vec<u8>) {
        let wide = self.style.wide;
        out.extend_from_slice(self.palette.dim);
        out.extend_from_slice(if wide {
            b"    SECONDS  CPU "
        } else {
            b"   SECONDS "
        });
        if self.show_netns {
            out.extend_from_slice(b"     NETNS ");
        }
        if wide {
            out.extend_from_slice(b"HOOK         DIR    FLOW  TUPLE");
            bytes::spaces(out, TUPLE_WIDE - "TUPLE".len());
            out.extend_from_slice(b"   COST_NS  EVENT");
        } else {
            out.extend_from_slice(b"IN/OUT IF FLOW ");
            out.extend_from_slice(TUPLE_TITLE.as_bytes());
            bytes::spaces(out, TUPLE - TUPLE_TITLE.len());
            out.extend_from_slice(b"  EVENT");
        }
        out.extend_from_slice(self.palette.reset);
        out.push(b'\n');
    }

    pub(super) fn packet_columns(
        &self,
        out: &mut Vec<u8>,
        record: &PacketRecord,
        flow: Option<&Flow>,
        direction: Option<Direction>,
    ) {
        self.begin(out, record.time_ns, record.cpu, record.netns);
        let tuple = Tuple::from_words(record.tuple);
        if self.style.wide {
            let direction = match direction {
                None => "-",
                Some(Direction::Original) => "orig",
                Some(Direction::Reply) => "reply",
            };
            let cost = record.flags & PacketFlags::DURATION != 0;
            wide(
                out,
                names::hook(record.hook),
                direction,
                flow,
                &tuple,
                cost.then_some(record.duration_ns),
            );
        } else {
            self.port(out, Some(record.hook), record.netns, record.ifindex);
            narrow(out, flow, &tuple, arrow(record, direction));
        }
    }

    pub(super) fn entry_columns(&self, out: &mut Vec<u8>, record: &EntryRecord, flow: Option<&Flow>) {
        self.begin(out, record.time_ns, record.cpu, record.netns);
        let tuple = Tuple::from_words(record.orig);
        if self.style.wide {
            let cost = record.flags & EntryFlags::DURATION != 0;
            let operation = operation(EntryKind::from_byte(record.what));
            wide(
                out,
                operation,
                "-",
                flow,
                &tuple,
                cost.then_some(record.duration_ns),
            );
        } else {
            self.port(out, None, record.netns, 0);
            narrow(out, flow, &tuple, TO);
        }
    }

    pub(super) fn cause_columns(&self, out: &mut Vec<u8>, why: &Why) {
        let record = &why.record;
        self.begin(out, record.time_ns, record.cpu, record.netns);
        let tuple = Tuple::from_words(record.tuple);
        if self.style.wide {
            wide(out, why.cause.family().name(), "-", None, &tuple, None);
        } else {
            let has_hook = record.flags & CauseFlags::HOOK != 0;
            let ifindex = if has_hook { record.ifindex } else { 0 };
            self.port(out, has_hook.then_some(record.hook), record.netns, ifindex);
            narrow(out, None, &tuple, TO);
        }
    }

    fn begin(&self, out: &mut Vec<u8>, time_ns: u64, cpu: u16, netns: u32) {
        let since_us = self.since_start_ns(time_ns) / 1000;
        let wide = self.style.wide;
        bytes::aligned(out, since_us / 1_000_000, if wide { 4 } else { 3 });
        out.push(b'.');
        bytes::padded(out, since_us % 1_000_000, 6);
        out.push(b' ');
        if wide {
            bytes::aligned(out, cpu, 4);
            out.push(b' ');
        }
        if self.show_netns {
            bytes::aligned(out, netns, 10);
            out.push(b' ');
        }
    }

    /// `in  eth0 `: the interface that the packet came in by or leaves by.
    fn port(&self, out: &mut Vec<u8>, hook: Option<u8>, netns: u32, ifindex: u32) {
        let way: &[u8] = match hook {
            None => b"-   ",
            Some(hook) if names::leaves(hook) => b"out ",
            Some(_) => b"in  ",
        };
        bytes::short(out, way);
        let start = out.len();
        self.interface(out, netns, ifindex);
        pad(out, start, INTERFACE);
        out.push(b' ');
    }

    /// An interface's name: `-` for none, `if3` for one that has no known name.
    pub(super) fn interface(&self, out: &mut Vec<u8>, netns: u32, ifindex: u32) {
        match self.names.interface(netns, ifindex) {
            _ if ifindex == 0 => out.push(b'-'),
            Some(name) => name.append(out),
            None => {
                bytes::short(out, b"if");
                bytes::number(out, ifindex);
            }
        }
    }
}

/// `   1 udp 10.0.0.1:1 > 10.0.0.2:2  `
fn narrow(out: &mut Vec<u8>, flow: Option<&Flow>, tuple: &Tuple, arrow: &[u8]) {
    number(out, flow, 4);
    out.push(b' ');
    tuple_column(out, tuple, TUPLE, |out| {
        words::source(out, tuple);
        bytes::short(out, arrow);
        words::destination(out, tuple);
        if proto::is_icmp(tuple.protonum) {
            icmp(out, tuple);
        }
    });
    bytes::short(out, b"  ");
}

/// The arrow between the ends of an entry: the direction of the packet, if it is known.
fn arrow(record: &PacketRecord, direction: Option<Direction>) -> &'static [u8] {
    match direction {
        Some(Direction::Reply) => b" < ",
        // Without an entry, the ends are those of the packet.
        None if record.ct != 0 => b" - ",
        _ => TO,
    }
}

/// A flow's number, aligned to the right.
fn number(out: &mut Vec<u8>, flow: Option<&Flow>, width: usize) {
    match flow {
        Some(flow) => bytes::aligned(out, flow.number, width),
        None => {
            bytes::spaces(out, width - 1);
            out.push(b'-');
        }
    }
}

/// The protocol and the ends, or `-` for an unknown tuple.
fn tuple_column(out: &mut Vec<u8>, tuple: &Tuple, width: usize, ends: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    if *tuple == Tuple::default() {
        out.push(b'-');
    } else {
        words::protocol(out, tuple.protonum);
        out.push(b' ');
        ends(out);
    }
    pad(out, start, width);
}

/// The code is mostly 0.
fn icmp(out: &mut Vec<u8>, tuple: &Tuple) {
    let (kind, code) = tuple.icmp_type_code();
    out.extend_from_slice(b" type ");
    bytes::number(out, kind);
    if code != 0 {
        out.extend_from_slice(b" code ");
        bytes::number(out, code);
    }
    out.extend_from_slice(b" id ");
    bytes::number(out, tuple.src_port());
}

fn wide(
    out: &mut Vec<u8>,
    hook: &str,
    direction: &str,
    flow: Option<&Flow>,
    tuple: &Tuple,
    cost: Option<u32>,
) {
    for (text, width) in [(hook, 12), (direction, 5)] {
        let start = out.len();
        bytes::short(out, text.as_bytes());
        pad(out, start, width);
        out.push(b' ');
    }
    number(out, flow, 5);
    bytes::short(out, b"  ");
    tuple_column(out, tuple, TUPLE_WIDE, |out| words::ends(out, tuple));
    match cost {
        Some(cost) => bytes::aligned(out, cost, 10),
        None => bytes::short(out, b"         -"),
    }
    bytes::short(out, b"  ");
}

/// The function's name without what all have in common.
fn operation(kind: Option<EntryKind>) -> &'static str {
    match kind {
        Some(EntryKind::AllocFailed) => "alloc",
        Some(EntryKind::Insert) => "hash_insert",
        kind => kind.map_or("unknown", EntryKind::name),
    }
}

/// Fills the column that begins at `start` with spaces up to its width.
fn pad(out: &mut Vec<u8>, start: usize, width: usize) {
    bytes::spaces(out, width.saturating_sub(out.len() - start));
}
