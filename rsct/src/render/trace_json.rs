//! The trace for programs: one JSON object a line, described in docs/json.md.
//!
//! Written by hand, as every field is written for every packet: `cargo xtask bench packet` says what
//! a line costs.

use rsct_common::{
    Tuple, TupleWords,
    record::{EntryFlags, EntryKind, EntryRecord, PacketFlags, PacketRecord},
};

use crate::flow::{
    cause::DeleteCause,
    names::{self, proto, status},
    observation::{Observation, Ticks},
    table::Flow,
};

use super::bytes;

/// Appends one line.
pub fn line(out: &mut Vec<u8>, ticks: Ticks, observation: Observation<'_>) {
    match observation {
        Observation::Packet(record, flow) => packet(out, ticks, record, flow),
        Observation::Entry(record, flow) => entry(out, ticks, record, flow),
    }
    out.extend_from_slice(b"}\n");
}

fn packet(out: &mut Vec<u8>, ticks: Ticks, record: &PacketRecord, flow: Option<&Flow>) {
    let has = |flag| record.flags & flag != 0;
    out.extend_from_slice(b"{\"type\":\"packet\"");
    number(out, ",\"time_ns\":", record.time_ns);
    number(out, ",\"cpu\":", record.cpu);
    word(out, ",\"hook\":\"", names::hook(record.hook));
    number(out, ",\"netns\":", record.netns);
    number(out, ",\"ifindex\":", record.ifindex);
    identity(out, record.ct, record.birth_ns, flow);
    tuple(out, ",\"orig\":{", record.tuple);
    number(out, ",\"zone\":", record.zone);
    number(out, ",\"mark\":", record.mark);
    word(out, ",\"outcome\":\"", outcome(record));
    number(out, ",\"verdict\":", record.verdict);
    if has(PacketFlags::AFTER) || has(PacketFlags::UNTRACKED) {
        word(out, ",\"ctinfo\":\"", names::ctinfo(record.ctinfo));
        word(
            out,
            ",\"dir\":\"",
            if names::is_reply(record.ctinfo) {
                "reply"
            } else {
                "orig"
            },
        );
    }
    if has(PacketFlags::DURATION) {
        number(out, ",\"duration_ns\":", record.duration_ns);
    }
    number(out, ",\"len_bytes\":", record.len_bytes);
    let protonum = Tuple::from_words(record.tuple).protonum;
    if has(PacketFlags::BEFORE) {
        let before = Snapshot {
            status: record.status_before,
            state: record.state_before,
            timeout: record.timeout_before_jiffies,
        };
        before.write(out, ",\"before\":{", ticks, protonum, record.now_jiffies);
    }
    if has(PacketFlags::AFTER) {
        let after = Snapshot {
            status: record.status_after,
            state: record.state_after,
            timeout: record.timeout_after_jiffies,
        };
        after.write(out, ",\"after\":{", ticks, protonum, record.now_jiffies);
    }
    if has(PacketFlags::REFRESHED) {
        number(out, ",\"refresh_ms\":", ticks.span_ms(record.refresh_jiffies));
    }
    if has(PacketFlags::TCP) {
        number(out, ",\"tcp\":{\"flags\":", record.tcp_flags);
        number(out, ",\"seq\":", record.tcp_seq);
        number(out, ",\"ack\":", record.tcp_ack);
        number(out, ",\"window\":", record.tcp_window);
        out.push(b'}');
    }
    if has(PacketFlags::TASK) {
        task(out, record.pid, &record.comm);
    }
}

/// What became of a packet, in one word.
pub fn outcome(record: &PacketRecord) -> &'static str {
    let has = |flag| record.flags & flag != 0;
    if has(PacketFlags::UNTRACKED) {
        "untracked"
    } else if !has(PacketFlags::AFTER) {
        if record.verdict == 1 { "invalid" } else { "dropped" }
    } else if has(PacketFlags::SEEN_ALREADY) {
        "tracked_already"
    } else if record.status_after & status::CONFIRMED == 0 {
        "created"
    } else {
        "tracked"
    }
}

fn entry(out: &mut Vec<u8>, ticks: Ticks, record: &EntryRecord, flow: Option<&Flow>) {
    let has = |flag| record.flags & flag != 0;
    let kind = EntryKind::from_byte(record.what);
    out.extend_from_slice(b"{\"type\":\"entry\"");
    word(out, ",\"event\":\"", event(kind));
    number(out, ",\"time_ns\":", record.time_ns);
    number(out, ",\"cpu\":", record.cpu);
    number(out, ",\"netns\":", record.netns);
    identity(out, record.ct, record.birth_ns, flow);
    tuple(out, ",\"orig\":{", record.orig);
    tuple(out, ",\"reply\":{", record.reply);
    number(out, ",\"zone\":", record.zone);
    number(out, ",\"mark\":", record.mark);
    let protonum = Tuple::from_words(record.orig).protonum;
    if kind != Some(EntryKind::AllocFailed) {
        let before = Snapshot {
            status: record.status_before,
            state: record.state_before,
            timeout: record.timeout_before_jiffies,
        };
        before.write(out, ",\"before\":{", ticks, protonum, record.now_jiffies);
    }
    if has(EntryFlags::RETURNED) {
        number(out, ",\"returned\":", record.ret);
        if record.status_after != 0 {
            let after = Snapshot {
                status: record.status_after,
                state: record.state_after,
                timeout: record.timeout_after_jiffies,
            };
            after.write(out, ",\"after\":{", ticks, protonum, record.now_jiffies);
        }
    }
    if has(EntryFlags::DURATION) {
        number(out, ",\"duration_ns\":", record.duration_ns);
    }
    match kind {
        Some(EntryKind::Delete) => {
            word(out, ",\"cause\":\"", DeleteCause::of(record).name());
            if record.portid != 0 {
                number(out, ",\"portid\":", record.portid);
            }
        }
        Some(EntryKind::Destroy) => {
            number(
                out,
                ",\"lifetime_ns\":",
                record.time_ns.saturating_sub(record.birth_ns),
            );
        }
        Some(EntryKind::Refresh) => number(out, ",\"refresh_ms\":", ticks.span_ms(record.refresh_jiffies)),
        Some(EntryKind::Confirm) if has(EntryFlags::OTHER_ENTRY) => out.extend_from_slice(b",\"clash\":true"),
        _ => {}
    }
    if has(EntryFlags::TASK) {
        task(out, record.pid, &record.comm);
    }
}

/// The event's name.
pub fn event(kind: Option<EntryKind>) -> &'static str {
    match kind {
        Some(EntryKind::AllocFailed) => "alloc_failed",
        Some(EntryKind::Insert) => "insert",
        Some(EntryKind::Confirm) => "confirm",
        Some(EntryKind::CheckInsert) => "check_insert",
        Some(EntryKind::Refresh) => "refresh",
        Some(EntryKind::Delete) => "delete",
        Some(EntryKind::Destroy) => "destroy",
        None => "unknown",
    }
}

/// An entry at one moment.
struct Snapshot {
    status: u32,
    state: u8,
    timeout: u32,
}

impl Snapshot {
    fn write(&self, out: &mut Vec<u8>, key: &'static str, ticks: Ticks, protonum: u8, now: u32) {
        out.extend_from_slice(key.as_bytes());
        out.extend_from_slice(b"\"status\":[");
        for (index, name) in status::names(self.status).enumerate() {
            out.extend_from_slice(if index == 0 { b"\"".as_slice() } else { b",\"" });
            out.extend_from_slice(name.as_bytes());
            out.push(b'"');
        }
        out.push(b']');
        if let Some(state) = names::state(protonum, self.state) {
            word(out, ",\"state\":\"", state);
        }
        number(
            out,
            ",\"timeout_ms\":",
            ticks.left_ms(self.status, self.timeout, now),
        );
        out.push(b'}');
    }
}

/// Which flow it is.
fn identity(out: &mut Vec<u8>, ct: u64, birth_ns: u64, flow: Option<&Flow>) {
    if ct != 0 {
        out.extend_from_slice(b",\"ct\":\"");
        bytes::hex(out, ct);
        number(out, "\",\"birth_ns\":", birth_ns);
    }
    if let Some(flow) = flow {
        number(out, ",\"flow\":", flow.number);
        word(out, ",\"known_from\":\"", flow.known_from());
    }
}

/// A tuple's object, opened by `key`.
pub fn tuple(out: &mut Vec<u8>, key: &'static str, words: TupleWords) {
    let tuple = Tuple::from_words(words);
    out.extend_from_slice(key.as_bytes());
    match proto::name(tuple.protonum) {
        Some(name) => word(out, "\"proto\":\"", name),
        None => number(out, "\"proto\":", tuple.protonum),
    }
    out.extend_from_slice(b",\"src\":\"");
    bytes::address(out, tuple.src_addr());
    out.extend_from_slice(b"\",\"dst\":\"");
    bytes::address(out, tuple.dst_addr());
    out.push(b'"');
    if proto::has_ports(tuple.protonum) {
        number(out, ",\"sport\":", tuple.src_port());
        number(out, ",\"dport\":", tuple.dst_port());
    } else if proto::is_icmp(tuple.protonum) {
        let (kind, code) = tuple.icmp_type_code();
        number(out, ",\"icmp_type\":", kind);
        number(out, ",\"icmp_code\":", code);
        number(out, ",\"icmp_id\":", tuple.src_port());
    } else if tuple.protonum == proto::GRE {
        number(out, ",\"srckey\":", tuple.src_port());
        number(out, ",\"dstkey\":", tuple.dst_port());
    }
    out.push(b'}');
}

fn task(out: &mut Vec<u8>, pid: u32, comm: &[u8; 16]) {
    number(out, ",\"pid\":", pid);
    out.extend_from_slice(b",\"comm\":\"");
    bytes::json_text(out, names::comm(comm));
    out.push(b'"');
}

/// `key` ends where the number begins.
#[inline]
fn number(out: &mut Vec<u8>, key: &'static str, value: impl itoa::Integer) {
    out.extend_from_slice(key.as_bytes());
    bytes::number(out, value);
}

/// `key` ends with the opening quote; the word needs no escaping.
#[inline]
fn word(out: &mut Vec<u8>, key: &'static str, value: &'static str) {
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(value.as_bytes());
    out.push(b'"');
}
