//! The trace for people: one line for each thing that happened.

use std::io::Write as _;

use rsct_common::{
    Tuple,
    record::{CauseFlags, EntryFlags, EntryKind, EntryRecord, PacketFlags, PacketRecord},
};

use crate::flow::{
    cause::DeleteKind,
    icmp,
    names::{self, proto, status},
    observation::{Observation, Outcome, Reason, Ticks},
    table::Flow,
};
use crate::{causes::Why, kernel::interfaces::Names, outside, timeouts::Source};

use super::{bytes, color::Palette, timeout_source, trace_why};

/// How lines look.
#[derive(Clone, Debug)]
pub struct Story {
    /// Jiffies a second.
    pub ticks: Ticks,
    /// The time that counts as zero.
    pub start_ns: u64,
    /// Whether each line names its namespace.
    pub show_netns: bool,
    /// Colours, or none.
    pub palette: Palette,
    /// The names of interfaces.
    pub names: Names,
}

impl Story {
    /// The line above all others.
    pub fn header(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.palette.dim);
        out.extend_from_slice(b"    SECONDS  CPU ");
        if self.show_netns {
            out.extend_from_slice(b"     NETNS ");
        }
        out.extend_from_slice(b"WHERE        DIR    FLOW  WHOSE");
        pad(out, WHOSE_COLUMNS - 5);
        out.extend_from_slice(b"   COST_NS  WHAT");
        out.extend_from_slice(self.palette.reset);
        out.push(b'\n');
    }

    /// The line for one observation.
    pub fn line(&self, out: &mut Vec<u8>, observation: Observation<'_>) {
        match observation {
            Observation::Packet(record, flow, source, why) => {
                self.packet(out, record, flow, source.as_ref());
                if matches!(why, Reason::NotYet) {
                    out.extend_from_slice(b"; cause unknown: its hooks are not attached yet");
                }
                trace_why::text(out, why.known());
            }
            Observation::Entry(record, flow, why) => {
                self.entry(out, record, flow);
                trace_why::text(out, why);
            }
            Observation::Cause(why) => self.alone(out, why),
        }
        out.push(b'\n');
    }

    fn packet(
        &self,
        out: &mut Vec<u8>,
        record: &PacketRecord,
        flow: Option<&Flow>,
        source: Option<&Source<'_>>,
    ) {
        self.when(out, record.time_ns, record.cpu, record.netns);
        let has_entry = record.flags & (PacketFlags::AFTER | PacketFlags::SEEN_ALREADY) != 0;
        let dir = match (has_entry, names::is_reply(record.ctinfo)) {
            (false, _) => "-",
            (true, false) => "orig",
            (true, true) => "reply",
        };
        columns(out, names::hook(record.hook), dir, flow);
        whose(out, &Tuple::from_words(record.tuple));
        let cost = record.flags & PacketFlags::DURATION != 0;
        cost_column(out, cost.then_some(record.duration_ns));
        self.packet_story(out, record, source);
        if record.has_tcp() {
            tcp(out, record);
        }
        if let Some(error) = icmp::Error::of(record) {
            let _ = write!(out, ", ICMP {} from {}", error.name(), error.from());
        }
        self.interface(out, record);
        zone(out, record.zone);
        if record.flags & PacketFlags::TASK != 0 {
            task(out, " from ", &record.comm, record.pid);
        }
    }

    /// A cause of something that has no line of its own.
    fn alone(&self, out: &mut Vec<u8>, why: &Why) {
        let record = &why.record;
        self.when(out, record.time_ns, record.cpu, record.netns);
        columns(out, why.cause.family().name(), "-", None);
        whose(out, &Tuple::from_words(record.tuple));
        cost_column(out, None);
        self.palette
            .paint(out, self.palette.bad, why.cause.name().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(why.cause.meaning().as_bytes());
        trace_why::details(out, why);
        if record.flags & CauseFlags::TASK != 0 {
            task(out, " by ", &record.comm, record.pid);
        }
    }

    /// What became of the packet, and what it did to its entry.
    fn packet_story(&self, out: &mut Vec<u8>, record: &PacketRecord, source: Option<&Source<'_>>) {
        let palette = &self.palette;
        match Outcome::of(record) {
            Outcome::Untracked => out.extend_from_slice(b"UNTRACKED"),
            outcome @ (Outcome::Invalid | Outcome::Dropped) => {
                let text: &[u8] = if outcome == Outcome::Invalid {
                    b"INVALID"
                } else {
                    b"DROPPED"
                };
                palette.paint(out, palette.bad, text);
                if record.flags & PacketFlags::BEFORE != 0 && record.status_before & status::CONFIRMED != 0 {
                    out.extend_from_slice(b" for its entry");
                    self.state_of(out, record.tuple, record.state_before);
                }
            }
            Outcome::TrackedAlready => {
                palette.paint(out, palette.dim, names::ctinfo(record.ctinfo).as_bytes());
                palette.paint(out, palette.dim, b", tracked already");
            }
            Outcome::Created => {
                palette.paint(out, palette.good, b"created");
                self.state_of(out, record.tuple, record.state_after);
                if record.status_after & status::SEEN_REPLY == 0 {
                    out.extend_from_slice(b" UNREPLIED");
                }
                out.extend_from_slice(b" with ");
                self.left(
                    out,
                    record.status_after,
                    record.timeout_after_jiffies,
                    record.now_jiffies,
                );
                if let Some(source) = source {
                    timeout_source::text(out, source);
                }
            }
            Outcome::Tracked => {
                out.extend_from_slice(names::ctinfo(record.ctinfo).as_bytes());
                self.changes(out, record, source);
            }
        }
    }

    fn changes(&self, out: &mut Vec<u8>, record: &PacketRecord, source: Option<&Source<'_>>) {
        let palette = &self.palette;
        if record.flags & PacketFlags::BEFORE == 0 {
            return;
        }
        if record.state_before != record.state_after {
            let number = Tuple::from_words(record.tuple).protonum;
            let before = names::state(number, record.state_before).unwrap_or("?");
            let after = names::state(number, record.state_after).unwrap_or("?");
            out.extend_from_slice(b", state ");
            out.extend_from_slice(before.as_bytes());
            out.extend_from_slice(" → ".as_bytes());
            palette.paint(out, palette.good, after.as_bytes());
        }
        for name in status::names(record.status_after & !record.status_before) {
            out.extend_from_slice(b" +");
            palette.paint(out, palette.good, name.as_bytes());
        }
        for name in status::names(record.status_before & !record.status_after) {
            out.extend_from_slice(b" -");
            palette.paint(out, palette.bad, name.as_bytes());
        }
        if record.timeout_before_jiffies != record.timeout_after_jiffies {
            out.extend_from_slice(b", ");
            let before = record.status_before;
            self.left(out, before, record.timeout_before_jiffies, record.now_jiffies);
            out.extend_from_slice(" → ".as_bytes());
            self.left(
                out,
                record.status_after,
                record.timeout_after_jiffies,
                record.now_jiffies,
            );
            if let Some(source) = source {
                timeout_source::text(out, source);
            }
        }
    }

    fn entry(&self, out: &mut Vec<u8>, record: &EntryRecord, flow: Option<&Flow>) {
        self.when(out, record.time_ns, record.cpu, record.netns);
        let kind = EntryKind::from_byte(record.what);
        let place = match kind {
            Some(EntryKind::AllocFailed) => "alloc",
            Some(EntryKind::Insert) => "hash_insert",
            Some(EntryKind::Confirm) => "confirm",
            Some(EntryKind::CheckInsert) => "check_insert",
            Some(EntryKind::Refresh) => "refresh",
            Some(EntryKind::Delete) => "delete",
            Some(EntryKind::Destroy) => "destroy",
            Some(EntryKind::ChangeTimeout) => "change_timeout",
            None => "unknown",
        };
        columns(out, place, "-", flow);
        whose(out, &Tuple::from_words(record.orig));
        let cost = record.flags & EntryFlags::DURATION != 0;
        cost_column(out, cost.then_some(record.duration_ns));
        self.entry_and_task(out, record);
        zone(out, record.zone);
    }

    /// The interface that a packet came in by or leaves by.
    fn interface(&self, out: &mut Vec<u8>, record: &PacketRecord) {
        if record.ifindex == 0 {
            return;
        }
        let way = match names::leaves(record.hook) {
            true => " out ",
            false => " in ",
        };
        out.extend_from_slice(way.as_bytes());
        match self.names.interface(record.netns, record.ifindex) {
            Some(name) => name.append(out),
            None => {
                out.extend_from_slice(b"ifindex ");
                bytes::number(out, record.ifindex);
            }
        }
    }

    /// What happened to an entry, and by whom.
    pub(super) fn entry_and_task(&self, out: &mut Vec<u8>, record: &EntryRecord) {
        let Some(kind) = EntryKind::from_byte(record.what) else {
            return;
        };
        self.entry_story(out, kind, record);
        if record.flags & EntryFlags::TASK != 0 {
            task(out, " by ", &record.comm, record.pid);
        }
    }

    fn entry_story(&self, out: &mut Vec<u8>, kind: EntryKind, record: &EntryRecord) {
        let palette = &self.palette;
        match kind {
            EntryKind::AllocFailed => {
                palette.paint(out, palette.bad, b"no entry could be allocated");
                out.extend_from_slice(b": the table is full, or memory is (error ");
                bytes::number(out, -record.ret);
                out.push(b')');
            }
            EntryKind::Insert => {
                out.extend_from_slice(b"in the table");
                nat(out, record);
            }
            EntryKind::Confirm if record.flags & EntryFlags::OTHER_ENTRY != 0 => {
                palette.paint(out, palette.bad, b"clash");
                out.extend_from_slice(b": the packet was given another entry");
            }
            EntryKind::Confirm if record.ret != i32::from(ACCEPT) => {
                palette.paint(out, palette.bad, b"not confirmed, packet dropped");
            }
            EntryKind::Confirm => {
                palette.paint(out, palette.good, b"confirmed");
                self.state_of(out, record.orig, record.state_after);
                out.extend_from_slice(b", ");
                self.left(
                    out,
                    record.status_after,
                    record.timeout_after_jiffies,
                    record.now_jiffies,
                );
                nat(out, record);
            }
            EntryKind::CheckInsert if record.ret < 0 => {
                palette.paint(out, palette.bad, b"not created");
                out.extend_from_slice(b": error ");
                bytes::number(out, -record.ret);
            }
            EntryKind::CheckInsert => {
                palette.paint(out, palette.good, b"created");
                self.state_of(out, record.orig, record.state_after);
                out.extend_from_slice(b" by hand with ");
                self.left(
                    out,
                    record.status_after,
                    record.timeout_after_jiffies,
                    record.now_jiffies,
                );
            }
            EntryKind::Refresh => {
                out.extend_from_slice(b"refreshed, asked for ");
                milliseconds(out, self.ticks.span_ms(record.refresh_jiffies) as i64);
            }
            EntryKind::ChangeTimeout => self.change_timeout_story(out, record),
            EntryKind::Delete => self.delete_story(out, record),
            EntryKind::Destroy => {
                out.extend_from_slice(if record.status_before & status::CONFIRMED == 0 {
                    b"gone, was never confirmed"
                } else {
                    b"gone".as_slice()
                });
                out.extend_from_slice(b" after ");
                milliseconds(
                    out,
                    (record.time_ns.saturating_sub(record.birth_ns) / 1_000_000) as i64,
                );
            }
        }
    }

    /// What was asked for is what there is now; a timeout that is fixed stays as it was.
    fn change_timeout_story(&self, out: &mut Vec<u8>, record: &EntryRecord) {
        let (before, after) = (record.timeout_before_jiffies, record.timeout_after_jiffies);
        out.extend_from_slice(b"timeout set by hand, ");
        self.left(out, record.status_before, before, record.now_jiffies);
        out.extend_from_slice(" → ".as_bytes());
        self.left(out, record.status_after, after, record.now_jiffies);
        if record.status_after & status::FIXED_TIMEOUT != 0 {
            out.extend_from_slice(b", fixed");
        }
    }

    fn delete_story(&self, out: &mut Vec<u8>, record: &EntryRecord) {
        let palette = &self.palette;
        match DeleteKind::of(record) {
            DeleteKind::DyingAlready => return out.extend_from_slice(b"was dying already"),
            DeleteKind::Expired => palette.paint(out, palette.bad, b"expired"),
            DeleteKind::Netlink => {
                palette.paint(out, palette.bad, b"deleted");
                out.extend_from_slice(b" over netlink");
                self.had_left(out, record);
            }
            DeleteKind::Early => {
                palette.paint(out, palette.bad, b"deleted early");
                self.had_left(out, record);
            }
        }
        self.state_of(out, record.orig, record.state_before);
        if record.flags & EntryFlags::RETURNED != 0 && record.ret == 0 {
            out.extend_from_slice(b", its event undelivered");
        }
    }

    /// How much of its time an entry had left when it went.
    fn had_left(&self, out: &mut Vec<u8>, record: &EntryRecord) {
        out.extend_from_slice(b", with ");
        self.left(
            out,
            record.status_before,
            record.timeout_before_jiffies,
            record.now_jiffies,
        );
        out.extend_from_slice(b" left");
    }

    fn when(&self, out: &mut Vec<u8>, time_ns: u64, cpu: u16, netns: u32) {
        let since_us = time_ns.saturating_sub(self.start_ns) / 1000;
        // Writing to a Vec cannot fail.
        let _ = write!(
            out,
            "{:>4}.{:06} {:>4} ",
            since_us / 1_000_000,
            since_us % 1_000_000,
            cpu
        );
        if self.show_netns {
            let _ = write!(out, "{netns:>10} ");
        }
    }

    fn state_of(&self, out: &mut Vec<u8>, tuple: rsct_common::TupleWords, state: u8) {
        if let Some(name) = names::state(Tuple::from_words(tuple).protonum, state) {
            out.push(b' ');
            out.extend_from_slice(name.as_bytes());
        }
    }

    fn left(&self, out: &mut Vec<u8>, status: u32, timeout: u32, now: u32) {
        milliseconds(out, self.ticks.left_ms(status, timeout, now));
    }
}

/// `NF_ACCEPT`.
const ACCEPT: u8 = 1;

/// Wide enough for two IPv4 ends with ports.
const WHOSE_COLUMNS: usize = 51;

fn columns(out: &mut Vec<u8>, place: &str, dir: &str, flow: Option<&Flow>) {
    let _ = match flow {
        Some(flow) => write!(out, "{place:<12} {dir:<5} {:>5}  ", flow.number),
        None => write!(out, "{place:<12} {dir:<5}     -  "),
    };
}

/// The protocol and both ends of the original direction, padded.
fn whose(out: &mut Vec<u8>, tuple: &Tuple) {
    let start = out.len();
    protocol(out, tuple.protonum);
    out.push(b' ');
    ends(out, tuple);
    pad(out, WHOSE_COLUMNS.saturating_sub(out.len() - start));
}

/// A protocol's name, or its number.
pub(super) fn protocol(out: &mut Vec<u8>, number: u8) {
    match proto::name(number) {
        Some(name) => out.extend_from_slice(name.as_bytes()),
        None => bytes::number(out, number),
    }
}

fn pad(out: &mut Vec<u8>, columns: usize) {
    out.extend(std::iter::repeat_n(b' ', columns));
}

/// Where a tuple's packets come from and go to.
pub fn ends(out: &mut Vec<u8>, tuple: &Tuple) {
    let ports = proto::has_ports(tuple.protonum);
    end(out, tuple.src_addr(), ports.then(|| tuple.src_port()));
    out.extend_from_slice(b" > ");
    end(out, tuple.dst_addr(), ports.then(|| tuple.dst_port()));
    if proto::is_icmp(tuple.protonum) {
        let (kind, code) = tuple.icmp_type_code();
        let _ = write!(out, " type {kind} code {code} id {}", tuple.src_port());
    }
}

fn end(out: &mut Vec<u8>, address: std::net::IpAddr, port: Option<u16>) {
    let bracket = address.is_ipv6() && port.is_some();
    if bracket {
        out.push(b'[');
    }
    bytes::address(out, address);
    if bracket {
        out.push(b']');
    }
    if let Some(port) = port {
        out.push(b':');
        bytes::number(out, port);
    }
}

/// The reply direction, where it is not simply the other way round.
fn nat(out: &mut Vec<u8>, record: &EntryRecord) {
    let orig = Tuple::from_words(record.orig);
    let reply = Tuple::from_words(record.reply);
    let same = orig.src == reply.dst && orig.dst == reply.src;
    let same_ports =
        !proto::has_ports(orig.protonum) || (orig.src_l4 == reply.dst_l4 && orig.dst_l4 == reply.src_l4);
    if !(same && same_ports) {
        out.extend_from_slice(b", replies ");
        ends(out, &reply);
    }
}

/// The zone, if there is one.
fn zone(out: &mut Vec<u8>, zone: u16) {
    if zone != 0 {
        out.extend_from_slice(b" zone ");
        bytes::number(out, zone);
    }
}

fn cost_column(out: &mut Vec<u8>, cost: Option<u32>) {
    let _ = match cost {
        Some(cost) => write!(out, "{cost:>10}  "),
        None => write!(out, "{:>10}  ", "-"),
    };
}

pub(super) fn task(out: &mut Vec<u8>, how: &str, comm: &[u8; 16], pid: u32) {
    out.extend_from_slice(how.as_bytes());
    out.extend_from_slice(outside::shown(names::comm(comm)).as_bytes());
    out.push(b'[');
    bytes::number(out, pid);
    out.push(b']');
}

/// Whole seconds where they are whole, tenths below ten seconds.
pub(super) fn milliseconds(out: &mut Vec<u8>, value: i64) {
    // From here on tenths round up to ten seconds.
    const TEN_SECONDS: i64 = 9_950;
    let _ = if value % 1000 == 0 || value.abs() >= 10_000 {
        write!(out, "{}s", value / 1000)
    } else if value.abs() >= TEN_SECONDS {
        write!(out, "{}s", value.signum() * 10)
    } else {
        write!(out, "{:.1}s", value as f64 / 1000.0)
    };
}

/// The names of TCP's flags, as in `SYN,ACK`.
pub(super) fn tcp_flags(flags: u8) -> String {
    const FLAGS: [(u8, &str); 6] = [
        (2, "SYN"),
        (1, "FIN"),
        (4, "RST"),
        (8, "PSH"),
        (16, "ACK"),
        (32, "URG"),
    ];
    let set: Vec<&str> = FLAGS
        .iter()
        .filter(|(bit, _)| flags & bit != 0)
        .map(|(_, name)| *name)
        .collect();
    set.join(",")
}

pub(super) fn tcp(out: &mut Vec<u8>, record: &PacketRecord) {
    let _ = write!(
        out,
        " [{} seq {} ack {} win {}]",
        tcp_flags(record.tcp_flags),
        record.tcp_seq,
        record.tcp_ack,
        record.tcp_window
    );
}

#[cfg(test)]
mod tests {
    use rsct_common::record::IcmpError;

    use super::*;

    fn line(record: &PacketRecord, reason: Reason<'_>) -> String {
        let story = Story {
            ticks: Ticks(250),
            start_ns: 0,
            show_netns: false,
            palette: Palette::PLAIN,
            names: Names::default(),
        };
        let mut out = Vec::new();
        story.line(&mut out, Observation::Packet(record, None, None, reason));
        String::from_utf8(out).unwrap()
    }

    /// Of no entry: INVALID.
    fn invalid() -> PacketRecord {
        PacketRecord {
            verdict: ACCEPT,
            family: 2,
            ..PacketRecord::default()
        }
    }

    #[test]
    fn zone_and_interface_tell_packets_apart() {
        let record = PacketRecord {
            zone: 5,
            ifindex: 7,
            ..invalid()
        };
        assert!(line(&record, Reason::None).ends_with("INVALID in ifindex 7 zone 5\n"));
        let out = PacketRecord {
            ifindex: 7,
            hook: 3,
            ..invalid()
        };
        assert!(line(&out, Reason::None).ends_with("INVALID out ifindex 7\n"));
    }

    #[test]
    fn a_cause_that_nobody_looks_for_yet_is_unknown() {
        let text = line(&invalid(), Reason::NotYet);
        assert!(
            text.ends_with("INVALID; cause unknown: its hooks are not attached yet\n"),
            "{text}"
        );
        assert!(line(&invalid(), Reason::None).ends_with("INVALID\n"));
    }

    #[test]
    fn an_icmp_error_has_its_name_and_its_sender() {
        let mut record = invalid();
        record.set_icmp_error(IcmpError {
            kind: 3,
            code: 1,
            from: [u32::from_ne_bytes([10, 0, 0, 9]), 0, 0, 0],
        });
        let text = line(&record, Reason::None);
        assert!(text.contains(", ICMP host_unreachable from 10.0.0.9"), "{text}");
    }

    #[test]
    fn seconds_change_their_form_at_ten() {
        for (ms, expected) in [
            (0, "0s"),
            (940, "0.9s"),
            (1000, "1s"),
            (9_949, "9.9s"),
            (9_950, "10s"),
            (9_999, "10s"),
            (10_000, "10s"),
            (10_999, "10s"),
            (-9_949, "-9.9s"),
            (-9_999, "-10s"),
        ] {
            let mut out = Vec::new();
            milliseconds(&mut out, ms);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{ms}");
        }
    }
}
