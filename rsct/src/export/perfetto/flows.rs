//! Top flows: a slice for each entry from its creation to its deletion, and an instant for each packet.

use std::io::Write;

use rsct_common::record::{EntryFlags, EntryRecord, PacketFlags, PacketRecord};
use rustc_hash::FxHashMap;

use crate::{
    causes::{Why, tally::FlowName},
    flow::{Flow, FlowKey, FlowTable, TupleKey, delete_kind, operation::Operation},
};

use super::{
    events::{category, direction},
    packets::Kind,
    tracks::Track,
    writer::Writer,
};

/// The top flows.
#[derive(Debug, Default)]
pub(super) struct TopFlows {
    flows: FxHashMap<FlowName, State>,
    from_ns: u64,
}

/// A track of a flow.
#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// The entry whose slice is open.
    open: Option<FlowKey>,
    /// The entry whose slice ended last: packets in flight follow its deletion.
    ended: Option<FlowKey>,
    /// The last begin or end of a slice.
    last_ns: u64,
}

/// How the begin of an entry's slice is known.
#[derive(Clone, Copy, Debug)]
enum Begin {
    Allocated,
    FirstSeen,
    /// It was in the table already.
    Existed,
}

impl Begin {
    fn name(self) -> &'static str {
        match self {
            Self::Allocated => "allocated",
            Self::FirstSeen => "first seen",
            Self::Existed => "existed",
        }
    }
}

impl TopFlows {
    /// These flows, from this time on.
    pub(super) fn new(flows: impl Iterator<Item = FlowName>, from_ns: u64) -> Self {
        Self {
            flows: flows.map(|flow| (flow, State::default())).collect(),
            from_ns,
        }
    }

    /// Returns whether a flow has a track.
    pub(super) fn has(&self, name: &FlowName) -> bool {
        self.flows.contains_key(name)
    }

    /// A packet of a top flow.
    pub(super) fn packet(&mut self, writer: &mut Writer<impl Write>, record: &PacketRecord, flow: &Flow) {
        let name = FlowName {
            netns: record.netns,
            zone: record.zone,
            tuple: flow.orig,
        };
        if !self.has(&name) {
            return;
        }
        if flow.is_confirmed() {
            let begin_ns = record.time_ns.min(flow.key.birth_ns);
            self.begin(writer, name, flow, begin_ns, Begin::FirstSeen);
        }
        let mut body = writer.body(category::FLOW, direction(record));
        let out = &mut body;
        if record.has_tcp() {
            writer.tcp_flags(out, record.tcp_flags);
        }
        writer.number(out, "len_bytes", record.len_bytes);
        writer.word(out, "hook", crate::names::hook(record.hook));
        writer.number(out, "cpu", record.cpu);
        if record.flags & PacketFlags::DURATION != 0 {
            writer.number(out, "duration_ns", record.duration_ns);
        }
        writer.event(Kind::Instant, Track::Flow(name), record.time_ns, &body);
    }

    /// An operation on an entry, perhaps of a top flow.
    pub(super) fn entry(
        &mut self,
        writer: &mut Writer<impl Write>,
        record: &EntryRecord,
        flow: Option<&Flow>,
        why: Option<&Why>,
    ) {
        let name = FlowName {
            netns: record.netns,
            zone: record.zone,
            tuple: record.orig,
        };
        if !self.has(&name) {
            return;
        }
        match (Operation::of(record), flow) {
            (Some(Operation::Confirmed | Operation::Created | Operation::Inserted), Some(flow)) => {
                let begin = match record.flags & EntryFlags::FIRST_SIGHT {
                    0 => Begin::Allocated,
                    _ => Begin::FirstSeen,
                };
                self.begin(writer, name, flow, record.birth_ns, begin);
            }
            (Some(Operation::Deleted(kind)), _) if delete_kind::deleted(record) => {
                self.end(writer, name, record, kind.name(), why);
            }
            (Some(Operation::Destroyed), _) => self.end(writer, name, record, "destroyed", why),
            _ => {}
        }
    }

    /// Begins the slices of entries in the table.
    pub(super) fn existing(&mut self, writer: &mut Writer<impl Write>, table: &FlowTable, now_ns: u64) {
        let names: Vec<FlowName> = self.flows.keys().copied().collect();
        for name in names {
            let key = TupleKey {
                netns: name.netns,
                zone: name.zone,
                orig: name.tuple,
            };
            if let Some(flow) = table.of_tuple(&key).filter(|flow| flow.is_confirmed()) {
                self.begin(writer, name, flow, now_ns, Begin::Existed);
            }
        }
    }

    /// Begins the slice of an entry, unless it is open.
    fn begin(
        &mut self,
        writer: &mut Writer<impl Write>,
        name: FlowName,
        flow: &Flow,
        begin_ns: u64,
        how: Begin,
    ) {
        let Some(state) = self.flows.get_mut(&name) else {
            return;
        };
        let begin_ns = begin_ns.max(self.from_ns).max(state.last_ns);
        if state.ended == Some(flow.key) {
            return;
        }
        match state.open {
            Some(open) if open == flow.key => return,
            // A dump showed it, and this is its first record.
            Some(open) if open == FlowKey::default() => {
                state.open = Some(flow.key);
                return;
            }
            Some(_) if flow.key == FlowKey::default() => return,
            Some(open) => {
                state.ended = Some(open);
                let mut body = Vec::new();
                writer.word(&mut body, "end", "not seen");
                writer.event(Kind::End, Track::Flow(name), begin_ns, &body);
            }
            None => {}
        }
        *state = State {
            open: Some(flow.key),
            last_ns: begin_ns,
            ..*state
        };
        let mut body = writer.body(category::FLOW, "entry");
        writer.number(&mut body, "flow", flow.number);
        writer.word(&mut body, "begin", how.name());
        writer.event(Kind::Begin, Track::Flow(name), begin_ns, &body);
    }

    /// Ends the slice of an entry, if it is open.
    fn end(
        &mut self,
        writer: &mut Writer<impl Write>,
        name: FlowName,
        record: &EntryRecord,
        how: &'static str,
        why: Option<&Why>,
    ) {
        let Some(state) = self.flows.get_mut(&name) else {
            return;
        };
        let key = FlowKey {
            ct: record.ct,
            birth_ns: record.birth_ns,
        };
        if !state
            .open
            .is_some_and(|open| open == key || open == FlowKey::default())
        {
            return;
        }
        let end_ns = record.time_ns.max(state.last_ns);
        *state = State {
            open: None,
            ended: Some(key),
            last_ns: end_ns,
        };
        let mut body = Vec::new();
        writer.word(&mut body, "end", how);
        if let Some(why) = why {
            writer.cause(&mut body, why);
        }
        writer.event(Kind::End, Track::Flow(name), end_ns, &body);
    }
}
