//! The trace for programs: one JSON object a line, described in docs/json.md.
//!
//! Written without the structs of `schema::trace`, as every field is written for every packet (`cargo xtask bench packet`
//! measures a line's cost); a test proves that both are the same.

mod digits;
mod entry;
mod in_one_piece;
mod kept;
mod keys;
mod likeness;
mod snapshot;
#[cfg(test)]
mod tests;
mod written;

use std::io::Write as _;

use rsct_common::{
    Tuple, TupleWords,
    record::{PacketFlags, PacketRecord},
};

use crate::{
    flow::{Flow, icmp, outcome::Outcome},
    kernel::hz::Hz,
    names,
    observe::{Observation, Reason},
    timeouts::TimeoutSource,
};

use super::{
    bytes, json,
    members::{literal, number, word},
    timeout_source, trace_why,
};
use in_one_piece::{ctinfo_members, hook_member};
use kept::{Beside, Differing, Kept, Places};
use keys::{source_key, source_words, task_words};
use snapshot::Snapshot;
use written::{Key, Written};

/// Writes lines, and keeps the last ones: most packets have a line like that of an earlier packet.
#[derive(Debug)]
pub(crate) struct TraceJson {
    /// Packets' lines, each where [`slot`] puts it.
    kept: Box<[Option<Box<Kept>>; SLOTS]>,
    parts: Parts,
}

/// The most lines that are kept. Each takes less than two kilobytes.
const SLOTS: usize = 1 << SLOT_BITS;
const SLOT_BITS: u32 = 9;

impl TraceJson {
    /// For a kernel with `ticks` jiffies a second.
    pub(crate) fn new(ticks: Hz) -> Self {
        Self {
            kept: Box::new([const { None }; SLOTS]),
            parts: Parts {
                ticks,
                before: Written::default(),
                after: Written::default(),
                source: Written::default(),
                task: Written::default(),
            },
        }
    }

    /// Appends one line.
    #[inline]
    pub(crate) fn line(&mut self, out: &mut Vec<u8>, observation: Observation<'_>) {
        match observation {
            Observation::Packet(record, flow, source, Reason::None) if icmp::Error::of(record).is_none() => {
                self.packet(out, record, flow, source.as_ref());
            }
            _ => self.parts.line(out, observation),
        }
    }

    /// Appends a packet's line: the kept one with other numbers, or a new one.
    #[inline]
    fn packet(
        &mut self,
        out: &mut Vec<u8>,
        record: &PacketRecord,
        flow: Option<&Flow>,
        source: Option<&TimeoutSource<'_>>,
    ) {
        let has = |flag| record.flags & flag != 0;
        let ticks = self.parts.ticks;
        let flow_number = flow.map_or(0, |flow| flow.number);
        let beside = Beside::of(flow_number, source.map(source_words));
        let kept = match &mut self.kept[slot(record)] {
            Some(kept) if kept.is_like(record, &beside) => kept,
            slot => {
                let kept = slot.get_or_insert_default();
                kept.write(record, beside, |out, places| {
                    self.parts.packet(out, places, record, flow_number, source);
                    literal(out, b"}\n");
                });
                return out.extend_from_slice(kept.text());
            }
        };
        kept.time(record.time_ns);
        if has(PacketFlags::DURATION) {
            kept.number(Differing::Duration, record.duration_ns.into());
        }
        kept.number(Differing::Length, record.len_bytes.into());
        if has(PacketFlags::BEFORE) {
            let before = Snapshot::before(record);
            kept.made(Differing::Before, before.left(), || before.left_ms(ticks));
        }
        if has(PacketFlags::AFTER) {
            let after = Snapshot::after(record);
            kept.made(Differing::After, after.left(), || after.left_ms(ticks));
        }
        if record.has_tcp() {
            kept.number(Differing::TcpFlags, record.tcp_flags.into());
            kept.number(Differing::Seq, record.tcp_seq.into());
            kept.number(Differing::Ack, record.tcp_ack.into());
            kept.number(Differing::Window, record.tcp_window.into());
        }
        out.extend_from_slice(kept.text());
    }
}

/// The place of a packet's line: another for each flow, hook and direction, unless two happen to have the same.
#[inline(always)]
fn slot(record: &PacketRecord) -> usize {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let point = u64::from(record.hook) | u64::from(record.ctinfo) << 3;
    ((record.ct ^ point).wrapping_mul(FACTOR) >> (64 - SLOT_BITS)) as usize
}

/// Writes whole lines, with parts that different flows' lines have in common.
#[derive(Debug)]
struct Parts {
    ticks: Hz,
    /// Two snapshots up to their timeouts.
    before: Written<Key<1>>,
    after: Written<Key<1>>,
    /// The timeout that a packet requested, and its source.
    source: Written<Key<4>>,
    /// A process.
    task: Written<Key<3>>,
}

impl Parts {
    fn line(&mut self, out: &mut Vec<u8>, observation: Observation<'_>) {
        // Once, so that no member has to reserve.
        out.reserve(LINE_BYTES);
        match observation {
            Observation::Packet(record, flow, source, why) => {
                let flow_number = flow.map_or(0, |flow| flow.number);
                self.packet(out, &mut Places::default(), record, flow_number, source.as_ref());
                if matches!(why, Reason::NotYet) {
                    out.extend_from_slice(b",\"why_pending\":true");
                }
                trace_why::member(out, why.known());
            }
            Observation::Entry(record, flow, why) => {
                entry::entry(out, self.ticks, record, flow);
                trace_why::member(out, why);
            }
            Observation::Cause(why) => return trace_why::line(out, why),
        }
        literal(out, b"}\n");
    }

    fn packet(
        &mut self,
        out: &mut Vec<u8>,
        places: &mut Places,
        record: &PacketRecord,
        flow_number: u64,
        source: Option<&TimeoutSource<'_>>,
    ) {
        let has = |flag| record.flags & flag != 0;
        literal(out, b"{\"type\":\"packet\",\"time_ns\":");
        places.time(out, record.time_ns);
        common(out, record, flow_number);
        if has(PacketFlags::DURATION) {
            literal(out, b",\"duration_ns\":");
            places.number(out, Differing::Duration, record.duration_ns);
        }
        literal(out, b",\"len_bytes\":");
        places.number(out, Differing::Length, record.len_bytes);
        self.snapshots(out, places, record);
        let requested = has(PacketFlags::REFRESHED).then_some(record.refresh_jiffies);
        match source {
            Some(source) => self.source.again(out, source_key(requested, source), |out| {
                refresh(out, self.ticks, requested);
                out.push(b',');
                timeout_source::json(out, source);
            }),
            None => refresh(out, self.ticks, requested),
        }
        if record.has_tcp() {
            literal(out, b",\"tcp_header\":{\"tcp_flags\":");
            places.number(out, Differing::TcpFlags, record.tcp_flags.into());
            literal(out, b",\"seq\":");
            places.number(out, Differing::Seq, record.tcp_seq);
            literal(out, b",\"ack\":");
            places.number(out, Differing::Ack, record.tcp_ack);
            literal(out, b",\"window\":");
            places.number(out, Differing::Window, record.tcp_window.into());
            out.push(b'}');
        }
        if let Some(error) = icmp::Error::of(record) {
            icmp_error(out, &error);
        }
        if has(PacketFlags::TASK) {
            let key = Key(task_words(record.pid, record.comm));
            self.task
                .again(out, key, |out| task(out, record.pid, &record.comm));
        }
    }

    /// The entry before and after the packet.
    fn snapshots(&mut self, out: &mut Vec<u8>, places: &mut Places, record: &PacketRecord) {
        let protonum = Tuple::from_words(record.tuple).protonum;
        if record.flags & PacketFlags::BEFORE != 0 {
            let before = Snapshot::before(record);
            self.before.again(out, before.key(protonum), |out| {
                before.write_state(out, b",\"before\":{", protonum);
            });
            places.made(out, Differing::Before, before.left(), before.left_ms(self.ticks));
            out.push(b'}');
        }
        if record.flags & PacketFlags::AFTER != 0 {
            let after = Snapshot::after(record);
            self.after.again(out, after.key(protonum), |out| {
                after.write_state(out, b",\"after\":{", protonum);
            });
            places.made(out, Differing::After, after.left(), after.left_ms(self.ticks));
            out.push(b'}');
        }
    }
}

/// The members from the CPU to the verdict on the packet.
fn common(out: &mut Vec<u8>, record: &PacketRecord, flow_number: u64) {
    let has = |flag| record.flags & flag != 0;
    number(out, b",\"cpu\":", record.cpu);
    out.extend_from_slice(hook_member(record.hook));
    number(out, b",\"netns\":", record.netns);
    number(out, b",\"ifindex\":", record.ifindex);
    if flow_number != 0 {
        number(out, b",\"flow\":", flow_number);
    }
    tuple(out, b",\"orig\":{", record.tuple);
    if record.zone != 0 {
        number(out, b",\"zone\":", record.zone);
    }
    if has(PacketFlags::MARK) && record.mark != 0 {
        number(out, b",\"mark\":", record.mark);
    }
    word(out, b",\"outcome\":\"", Outcome::of(record).name());
    number(out, b",\"verdict\":", record.verdict);
    if has(PacketFlags::AFTER) || has(PacketFlags::UNTRACKED) || has(PacketFlags::SEEN_ALREADY) {
        out.extend_from_slice(ctinfo_members(record.ctinfo));
    }
}

/// Capacity for any line but those with the longest names.
const LINE_BYTES: usize = 1024;

/// A tuple's object, opened by `key`.
fn tuple<const N: usize>(out: &mut Vec<u8>, key: &'static [u8; N], words: TupleWords) {
    literal(out, key);
    json::tuple(out, &Tuple::from_words(words));
    out.push(b'}');
}

/// `,"refresh_ms":…`: the timeout that a packet requested.
#[inline(always)]
fn refresh(out: &mut Vec<u8>, ticks: Hz, requested: Option<u32>) {
    if let Some(jiffies) = requested {
        number(out, b",\"refresh_ms\":", ticks.span_ms(jiffies));
    }
}

/// `,"icmp":{…}`: an ICMP error.
fn icmp_error(out: &mut Vec<u8>, error: &icmp::Error) {
    // Writing to a Vec cannot fail.
    let _ = write!(
        out,
        ",\"icmp\":{{\"icmp_type\":{},\"icmp_code\":{},\"name\":\"{}\",\"sender\":\"",
        error.kind(),
        error.code(),
        error.name()
    );
    bytes::address(out, error.from());
    out.extend_from_slice(b"\"}");
}

fn task(out: &mut Vec<u8>, pid: u32, comm: &[u8; 16]) {
    number(out, b",\"pid\":", pid);
    out.extend_from_slice(b",\"comm\":\"");
    bytes::json_text(out, names::comm(comm));
    out.push(b'"');
}
