//! The trace for programs: one JSON object a line, described in docs/json.md.
//!
//! Written without the structs of `schema::trace`, as every field is written for every packet (`cargo xtask bench packet`
//! measures a line's cost); a test proves that both are the same.

mod entry;
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
    names::{self, status},
    observe::{Observation, Reason},
    timeouts::{Setter, State, TimeoutSource},
};

use super::{
    bytes, json,
    members::{literal, number, word},
    timeout_source, trace_why,
};
use written::{Key, Written};

/// Writes lines, and keeps the text that consecutive lines have in common: packets arrive in runs.
#[derive(Debug)]
pub(crate) struct TraceJson {
    ticks: Hz,
    /// For each hook the members that the last packet has in common with the next: a packet that passes several hooks
    /// has a line for each.
    common: Box<[Written<Key<COMMON_WORDS>>; HOOKS]>,
    /// Two snapshots up to their timeouts.
    before: Written<Key<1>>,
    after: Written<Key<1>>,
    /// The timeout that a packet requested, and its source.
    source: Written<Key<4>>,
    /// A process.
    task: Written<Key<3>>,
}

/// At least the number of hooks, and a power of two: the index needs no check.
const HOOKS: usize = 8;
/// See [`common_key`].
const COMMON_WORDS: usize = 10;

impl TraceJson {
    /// For a kernel with `ticks` jiffies a second.
    pub(crate) fn new(ticks: Hz) -> Self {
        Self {
            ticks,
            common: Default::default(),
            before: Written::default(),
            after: Written::default(),
            source: Written::default(),
            task: Written::default(),
        }
    }

    /// Appends one line.
    pub(crate) fn line(&mut self, out: &mut Vec<u8>, observation: Observation<'_>) {
        // Once, so that no member has to reserve.
        out.reserve(LINE_BYTES);
        match observation {
            Observation::Packet(record, flow, source, why) => {
                self.packet(out, record, flow, source.as_ref());
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
        record: &PacketRecord,
        flow: Option<&Flow>,
        source: Option<&TimeoutSource<'_>>,
    ) {
        let has = |flag| record.flags & flag != 0;
        number(out, b"{\"type\":\"packet\",\"time_ns\":", record.time_ns);
        let flow_number = flow.map_or(0, |flow| flow.number);
        self.common[usize::from(record.hook) % HOOKS].again(out, common_key(record, flow_number), |out| {
            common(out, record, flow_number);
        });
        if has(PacketFlags::DURATION) {
            number(out, b",\"duration_ns\":", record.duration_ns);
        }
        number(out, b",\"len_bytes\":", record.len_bytes);
        self.snapshots(out, record);
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
            number(out, b",\"tcp_header\":{\"tcp_flags\":", record.tcp_flags);
            number(out, b",\"seq\":", record.tcp_seq);
            number(out, b",\"ack\":", record.tcp_ack);
            number(out, b",\"window\":", record.tcp_window);
            out.push(b'}');
        }
        if let Some(error) = icmp::Error::of(record) {
            icmp_error(out, &error);
        }
        if has(PacketFlags::TASK) {
            let key = task_key(record.pid, record.comm);
            self.task
                .again(out, key, |out| task(out, record.pid, &record.comm));
        }
    }

    /// The entry before and after the packet.
    fn snapshots(&mut self, out: &mut Vec<u8>, record: &PacketRecord) {
        let protonum = Tuple::from_words(record.tuple).protonum;
        if record.flags & PacketFlags::BEFORE != 0 {
            let before = Snapshot {
                status: record.status_before,
                state: record.state_before,
                timeout: record.timeout_before_jiffies,
            };
            self.before.again(out, before.key(protonum), |out| {
                before.write_state(out, b",\"before\":{", protonum);
            });
            before.write_timeout(out, self.ticks, record.now_jiffies);
        }
        if record.flags & PacketFlags::AFTER != 0 {
            let after = Snapshot {
                status: record.status_after,
                state: record.state_after,
                timeout: record.timeout_after_jiffies,
            };
            self.after.again(out, after.key(protonum), |out| {
                after.write_state(out, b",\"after\":{", protonum);
            });
            after.write_timeout(out, self.ticks, record.now_jiffies);
        }
    }
}

/// All values that [`common`] writes or depends on.
#[inline(always)]
fn common_key(record: &PacketRecord, flow_number: u64) -> Key<COMMON_WORDS> {
    let words = |low: u32, high: u32| u64::from(low) | u64::from(high) << 32;
    let bytes = u32::from_le_bytes([record.hook, record.verdict, record.ctinfo, 0]);
    let [a, b, c, d, e] = record.tuple;
    Key([
        words(bytes, u32::from(record.cpu) | u32::from(record.flags) << 16),
        words(record.netns, record.ifindex),
        words(record.mark, u32::from(record.zone)),
        u64::from(record.status_after),
        flow_number,
        a,
        b,
        c,
        d,
        e,
    ])
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

/// All values that [`refresh`] and [`timeout_source::json`] write: those that are never freed during a trace by their
/// addresses.
#[inline(always)]
fn source_key(requested: Option<u32>, source: &TimeoutSource<'_>) -> Key<4> {
    let setter = match source.setter {
        Setter::Defaults => 0,
        Setter::LostPolicy => 1,
        Setter::Policy([]) => 2,
        Setter::Fixed => 3,
        Setter::Netlink => 4,
        Setter::Unknown => 5,
        Setter::Policy(names) | Setter::Nftables(names) => names.as_ptr() as u64,
    };
    let (state, reduction) = source.governing.map_or((0, 0), |governing| {
        let state: *const State = governing.state;
        let reduction = governing.reduction.map_or(0, |reduction| reduction as u64 + 1);
        (state as u64, reduction)
    });
    let requested = requested.map_or(0, |jiffies| u64::from(jiffies) | 1 << 32);
    let value_ms = source.value_ms.unwrap_or(u64::MAX);
    Key([setter, state, reduction << 33 | requested, value_ms])
}

/// All values that [`task`] writes.
#[inline(always)]
fn task_key(pid: u32, comm: [u8; 16]) -> Key<3> {
    let comm = u128::from_ne_bytes(comm);
    Key([u64::from(pid), comm as u64, (comm >> 64) as u64])
}

/// A packet's hook, as a member in one piece.
fn hook_member(hook: u8) -> &'static [u8] {
    match hook {
        0 => b",\"hook\":\"PRE_ROUTING\"",
        1 => b",\"hook\":\"LOCAL_IN\"",
        2 => b",\"hook\":\"FORWARD\"",
        3 => b",\"hook\":\"LOCAL_OUT\"",
        4 => b",\"hook\":\"POST_ROUTING\"",
        _ => b",\"hook\":\"UNKNOWN\"",
    }
}

/// A packet's ctinfo and direction, as two members in one piece.
fn ctinfo_members(ctinfo: u8) -> &'static [u8] {
    match ctinfo {
        0 => b",\"ctinfo\":\"ESTABLISHED\",\"dir\":\"orig\"",
        1 => b",\"ctinfo\":\"RELATED\",\"dir\":\"orig\"",
        2 => b",\"ctinfo\":\"NEW\",\"dir\":\"orig\"",
        3 => b",\"ctinfo\":\"ESTABLISHED\",\"dir\":\"reply\"",
        4 => b",\"ctinfo\":\"RELATED\",\"dir\":\"reply\"",
        5 => b",\"ctinfo\":\"NEW\",\"dir\":\"reply\"",
        7 => b",\"ctinfo\":\"UNTRACKED\"",
        _ => b",\"ctinfo\":\"UNKNOWN\"",
    }
}

/// Capacity for any line but those with the longest names.
const LINE_BYTES: usize = 1024;

/// An entry at one moment.
struct Snapshot {
    status: u32,
    state: u8,
    timeout: u32,
}

impl Snapshot {
    fn write<const N: usize>(
        &self,
        out: &mut Vec<u8>,
        key: &'static [u8; N],
        ticks: Hz,
        protonum: u8,
        now: u32,
    ) {
        self.write_state(out, key, protonum);
        self.write_timeout(out, ticks, now);
    }

    /// All values that [`Self::write_state`] writes.
    #[inline(always)]
    fn key(&self, protonum: u8) -> Key<1> {
        let state = u16::from_le_bytes([self.state, protonum]);
        Key([u64::from(self.status) | u64::from(state) << 32])
    }

    /// Up to the timeout, which no two packets need have in common.
    fn write_state<const N: usize>(&self, out: &mut Vec<u8>, key: &'static [u8; N], protonum: u8) {
        literal(out, key);
        literal(out, b"\"status\":");
        status_list(out, self.status);
        state_name(out, protonum, self.state);
        literal(out, b",\"timeout_ms\":");
    }

    /// The timeout, and the end of the object.
    #[inline(always)]
    fn write_timeout(&self, out: &mut Vec<u8>, ticks: Hz, now: u32) {
        bytes::number(out, ticks.left_ms(self.status, self.timeout, now));
        out.push(b'}');
    }
}

fn status_list(out: &mut Vec<u8>, status: u32) {
    out.push(b'[');
    for (index, name) in status::names(status).enumerate() {
        out.extend_from_slice(if index == 0 { b"\"".as_slice() } else { b",\"" });
        out.extend_from_slice(name.as_bytes());
        out.push(b'"');
    }
    out.push(b']');
}

#[inline(always)]
fn state_name(out: &mut Vec<u8>, protonum: u8, state: u8) {
    if let Some(state) = names::state(protonum, state) {
        word(out, b",\"state\":\"", state);
    }
}

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
