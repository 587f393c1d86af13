//! Observations as events of a CPU's track: packets, operations on entries, causes.

use std::io::Write;

use rsct_common::{
    Tuple, TupleWords,
    record::{CauseFlags, EntryFlags, EntryKind, EntryRecord, PacketFlags, PacketRecord},
};

use crate::{
    causes::Why,
    flow::{Flow, delete_kind::DeleteKind, icmp, outcome::Outcome},
    names::{self, verdict},
    render::words,
};

use super::{held::Event, tracks::Track, writer::Writer};

/// Categories of events.
pub(super) mod category {
    pub(crate) const PACKET: &str = "packet";
    pub(crate) const ENTRY: &str = "entry";
    pub(crate) const CAUSE: &str = "cause";
    pub(crate) const FLOW: &str = "flow";
    pub(crate) const LOSS: &str = "loss";
}

impl<W: Write> Writer<W> {
    /// Adds a packet: a slice of the time in `nf_conntrack_in`, or an instant if that was not measured.
    pub(super) fn packet(&mut self, record: &PacketRecord, flow: Option<&Flow>, why: Option<&Why>) {
        let has = |flag| record.flags & flag != 0;
        let mut body = self.body(category::PACKET, Outcome::of(record).name());
        let out = &mut body;
        self.tuple(out, "tuple", record.tuple);
        if let Some(flow) = flow {
            self.number(out, "flow", flow.number);
        }
        self.word(out, "hook", names::hook(record.hook));
        self.interface(out, record.netns, record.ifindex);
        let verdict = match u32::from(record.verdict) {
            verdict::ACCEPT => "ACCEPT",
            _ => "DROP",
        };
        self.word(out, "verdict", verdict);
        if has(PacketFlags::AFTER) || has(PacketFlags::UNTRACKED) || has(PacketFlags::SEEN_ALREADY) {
            self.word(out, "ctinfo", names::ctinfo(record.ctinfo));
            self.word(out, "dir", direction(record));
        }
        let protonum = Tuple::from_words(record.tuple).protonum;
        if has(PacketFlags::BEFORE) {
            self.state(
                out,
                ["state_before", "status_before"],
                protonum,
                record.state_before,
                record.status_before,
            );
        }
        if has(PacketFlags::AFTER) {
            self.state(
                out,
                ["state_after", "status_after"],
                protonum,
                record.state_after,
                record.status_after,
            );
        }
        self.number(out, "len_bytes", record.len_bytes);
        if has(PacketFlags::DURATION) {
            self.number(out, "duration_ns", record.duration_ns);
        }
        if record.has_tcp() {
            self.tcp_flags(out, record.tcp_flags);
        }
        if let Some(error) = icmp::Error::of(record) {
            self.word(out, "icmp_error", error.name());
        }
        if record.zone != 0 {
            self.number(out, "zone", record.zone);
        }
        if has(PacketFlags::MARK) && record.mark != 0 {
            self.number(out, "mark", record.mark);
        }
        if has(PacketFlags::TASK) {
            self.task(out, &record.comm, record.pid);
        }
        if let Some(why) = why {
            self.cause(out, why);
        }
        let duration_ns = has(PacketFlags::DURATION).then_some(record.duration_ns);
        self.hold_cpu(record.netns, record.cpu, record.time_ns, duration_ns, body);
    }

    /// Adds an operation on an entry.
    pub(super) fn entry(&mut self, record: &EntryRecord, flow: Option<&Flow>, why: Option<&Why>) {
        let has = |flag| record.flags & flag != 0;
        let kind = EntryKind::from_byte(record.what);
        let mut body = self.body(category::ENTRY, kind.map_or("unknown", EntryKind::name));
        let out = &mut body;
        self.tuple(out, "tuple", record.orig);
        self.tuple(out, "reply", record.reply);
        if let Some(flow) = flow {
            self.number(out, "flow", flow.number);
        }
        let protonum = Tuple::from_words(record.orig).protonum;
        if kind != Some(EntryKind::AllocFailed) {
            self.state(
                out,
                ["state_before", "status_before"],
                protonum,
                record.state_before,
                record.status_before,
            );
        }
        if has(EntryFlags::RETURNED) && record.status_after != 0 {
            self.state(
                out,
                ["state_after", "status_after"],
                protonum,
                record.state_after,
                record.status_after,
            );
        }
        if kind == Some(EntryKind::Delete) {
            self.word(out, "kind", DeleteKind::of(record).name());
        }
        if record.zone != 0 {
            self.number(out, "zone", record.zone);
        }
        if has(EntryFlags::DURATION) {
            self.number(out, "duration_ns", record.duration_ns);
        }
        if has(EntryFlags::TASK) {
            self.task(out, &record.comm, record.pid);
        }
        if let Some(why) = why {
            self.cause(out, why);
        }
        let duration_ns = has(EntryFlags::DURATION).then_some(record.duration_ns);
        self.hold_cpu(record.netns, record.cpu, record.time_ns, duration_ns, body);
    }

    /// Adds a cause that belongs to no packet and no operation.
    pub(super) fn cause_alone(&mut self, why: &Why) {
        let record = &why.record;
        let mut body = self.body(category::CAUSE, why.cause.name());
        let out = &mut body;
        if record.tuple != TupleWords::default() {
            self.tuple(out, "tuple", record.tuple);
        }
        self.cause(out, why);
        if record.flags & CauseFlags::TASK != 0 {
            self.task(out, &record.comm, record.pid);
        }
        self.hold_cpu(record.netns, record.cpu, record.time_ns, None, body);
    }

    /// Adds an event of a CPU.
    fn hold_cpu(&mut self, netns: u32, cpu: u16, begin_ns: u64, duration_ns: Option<u32>, body: Vec<u8>) {
        self.hold(Event {
            begin_ns,
            end_ns: duration_ns.map(|duration_ns| begin_ns.saturating_add(duration_ns.into())),
            track: Track::Cpu { netns, cpu, lane: 0 },
            body,
        });
    }

    fn tuple(&mut self, body: &mut Vec<u8>, name: &'static str, words: TupleWords) {
        let mut text = Vec::with_capacity(64);
        words::tuple(&mut text, &Tuple::from_words(words));
        self.text(body, name, &text);
    }

    fn interface(&mut self, body: &mut Vec<u8>, netns: u32, ifindex: u32) {
        if ifindex == 0 {
            return;
        }
        match self.names.interface(netns, ifindex).cloned() {
            Some(name) => self.text(body, "interface", name.as_str().as_bytes()),
            None => self.number(body, "ifindex", ifindex),
        }
    }

    /// The protocol's state, if it has states, and the status bits.
    fn state(&mut self, body: &mut Vec<u8>, keys: [&'static str; 2], protonum: u8, state: u8, status: u32) {
        let [state_key, status_key] = keys;
        if let Some(state) = names::state(protonum, state) {
            self.word(body, state_key, state);
        }
        let bits: Vec<&str> = names::status::names(status).collect();
        self.text(body, status_key, bits.join(",").as_bytes());
    }

    pub(super) fn tcp_flags(&mut self, body: &mut Vec<u8>, flags: u8) {
        let mut text = Vec::new();
        words::tcp_flags(&mut text, flags);
        self.text(body, "tcp_flags", &text);
    }

    fn task(&mut self, body: &mut Vec<u8>, comm: &[u8; 16], pid: u32) {
        self.text(body, "comm", names::comm(comm));
        self.number(body, "pid", pid);
    }

    /// The cause with its details.
    pub(super) fn cause(&mut self, body: &mut Vec<u8>, why: &Why) {
        self.word(body, "cause_family", why.cause.family().name());
        self.word(body, "cause", why.cause.name());
        if let Some(said) = &why.said {
            self.text(body, "message", said.as_bytes());
        }
        if let Some(miss) = why.miss {
            self.number(body, "out_of_window_bytes", miss.bytes);
        }
        if !why.callers.is_empty() {
            self.text(body, "callers", why.callers.join(" < ").as_bytes());
        }
    }
}

/// The direction of a packet with an entry.
pub(super) fn direction(record: &PacketRecord) -> &'static str {
    match names::is_reply(record.ctinfo) {
        true => "reply",
        false => "orig",
    }
}
