//! The facts, notices and entries before a part of a recording that the part begins with.

use std::collections::HashMap;

use rsct_common::record::{CauseRecord, EntryKind, EntryRecord, PolicyEvent, PolicyRecord};
use zerocopy::IntoBytes as _;

use crate::{
    flow::{Flow, FlowKey, TupleKey, delete_kind, reconcile::DumpedEntry},
    latency::{Begins, Measured, Snapshot},
    observe::{AllCounts, Covered, Fact, Input, Model, Notice},
    recording::{WriteError, Writer},
    records::Record,
};

use super::super::{
    beginning::{keep, note_of},
    wire::{DumpBegins, DumpEnds, DumpedRecord, note},
};

/// The causes of so much time may belong to records of the part.
const CAUSES_NS: u64 = 1_000_000_000;
/// More causes are not kept.
const MOST_CAUSES: usize = 1 << 16;
const SECOND_NS: u64 = 1_000_000_000;

/// The state after the inputs before a part.
#[derive(Debug, Default)]
pub(super) struct Context {
    facts: Vec<Fact>,
    /// Notices, with the times of their notes.
    notices: Vec<(Notice, u64)>,
    /// The policies of flows.
    policies: HashMap<FlowKey, PolicyRecord>,
    /// Deleted entries until they are destroyed.
    deleted: HashMap<FlowKey, EntryRecord>,
    /// The namespaces that the last dump covered.
    covered: Option<Covered>,
    /// The dump that is not complete yet.
    dump_ns: Option<u64>,
    lost: u64,
    pub(super) counted: Option<AllCounts>,
    /// The causes since the last reading but one, and the number of those before the last.
    causes: Vec<CauseRecord>,
    causes_before: usize,
    begins: Option<Begins>,
    pub(super) latency: Option<(Begins, Snapshot)>,
}

impl Context {
    /// Keeps the facts, notices and entries that a later part needs.
    pub(super) fn take(&mut self, input: Input<'_>, now_ns: u64, is_known: bool, model: &Model) {
        match input {
            Input::Record(record) => self.record(record, is_known),
            Input::DumpBegins { now_ns } => self.dump_ns = Some(now_ns),
            Input::DumpEnds { covered, lost, .. } => {
                (self.covered, self.lost) = (covered.cloned(), lost);
                let begun_ns = self.dump_ns.take().unwrap_or_default();
                self.deleted.retain(|_, record| record.time_ns >= begun_ns);
            }
            Input::Fact(fact) => self.fact(fact, model),
            Input::Notice(notice) => self.notice(notice, now_ns),
            Input::Counted(counted) => {
                self.counted.get_or_insert_default().add(counted);
                let old_ns = counted.time_ns.saturating_sub(CAUSES_NS);
                self.causes.retain(|cause| cause.time_ns >= old_ns);
                self.causes_before = self.causes.len();
            }
            Input::Latency(Measured::Begins(begins)) => self.begins = Some(begins.clone()),
            Input::Latency(Measured::Snapshot(snapshot)) => {
                let begins = self.begins.clone();
                self.latency = begins.map(|begins| (begins, snapshot.clone()));
            }
            Input::Dumped { .. } | Input::Settled { .. } | Input::Ended(_) | Input::Cut { .. } => {}
        }
    }

    /// The causes before the last reading of their counts.
    pub(super) fn causes_before(&self) -> &[CauseRecord] {
        self.causes.get(..self.causes_before).unwrap_or_default()
    }

    /// The causes after it.
    pub(super) fn causes_since(&self) -> &[CauseRecord] {
        self.causes.get(self.causes_before..).unwrap_or_default()
    }

    fn record(&mut self, record: Record<'_>, is_known: bool) {
        match record {
            Record::Entry(record) => {
                let key = FlowKey {
                    ct: record.ct,
                    birth_ns: record.birth_ns,
                };
                match EntryKind::from_byte(record.what) {
                    Some(EntryKind::Delete) if is_known && delete_kind::deleted(record) => {
                        self.deleted.insert(key, *record);
                    }
                    Some(EntryKind::Destroy) => {
                        self.deleted.remove(&key);
                        self.policies.remove(&key);
                    }
                    _ => {}
                }
            }
            Record::Policy(record) => match PolicyEvent::from_byte(record.what) {
                Some(PolicyEvent::Governs) => {
                    let key = FlowKey {
                        ct: record.ct,
                        birth_ns: record.birth_ns,
                    };
                    self.policies.insert(key, *record);
                }
                Some(PolicyEvent::Ended) => self.policies.retain(|_, governs| {
                    governs.netns != record.netns || record.policy != 0 && governs.policy != record.policy
                }),
                None => {}
            },
            Record::Cause(record) if self.causes.len() < MOST_CAUSES => self.causes.push(*record),
            _ => {}
        }
    }

    fn fact(&mut self, fact: &Fact, model: &Model) {
        match fact {
            // One fact has the names of all.
            Fact::Names(_) => {
                self.facts.retain(|fact| !matches!(fact, Fact::Names(_)));
                self.facts.push(Fact::Names(model.names.clone()));
            }
            fact if self.facts.contains(fact) => {}
            fact => keep(&mut self.facts, fact),
        }
    }

    fn notice(&mut self, notice: &Notice, now_ns: u64) {
        let is_replaced = |known: &Notice| {
            matches!(
                (known, notice),
                (Notice::Loss { .. }, Notice::Loss { .. })
                    | (Notice::CausesLost { .. }, Notice::CausesLost { .. })
                    | (Notice::Causes { .. }, Notice::Causes { .. })
                    | (Notice::NoCauses, Notice::NoCauses)
            )
        };
        self.notices.retain(|(known, _)| !is_replaced(known));
        self.notices.push((notice.clone(), now_ns));
    }

    /// Writes facts, entries, policies and notices.
    pub(super) fn write(&self, writer: &mut Writer, model: &Model, now_ns: u64) -> Result<(), WriteError> {
        for fact in &self.facts {
            note_of(writer, note::FACT, fact, now_ns)?;
        }
        // A policy waits for the first record of its flow.
        for record in self.policies.values() {
            writer.record(record.as_bytes(), record.time_ns)?;
        }
        self.deleted(writer, model, now_ns)?;
        self.dump(writer, model, now_ns)?;
        for (notice, time_ns) in &self.notices {
            note_of(writer, note::NOTICE, notice, *time_ns)?;
        }
        Ok(())
    }

    /// Writes the deleted entries as a dump of their own, and then their deletions: the tuple of one may be another's now.
    fn deleted(&self, writer: &mut Writer, model: &Model, now_ns: u64) -> Result<(), WriteError> {
        // A later record shows that it is not deleted.
        let is_live = |(key, _): &(&FlowKey, &EntryRecord)| model.table.flows().any(|flow| flow.key == **key);
        let deleted: Vec<_> = self.deleted.iter().filter(|of| !is_live(of)).collect();
        if deleted.is_empty() {
            return Ok(());
        }
        note_of(writer, note::DUMP_BEGINS, &DumpBegins { now_ns }, now_ns)?;
        for (_, record) in &deleted {
            let entry = DumpedEntry {
                key: TupleKey::of_entry(record),
                reply: record.reply,
                status: record.status_before,
                state: record.state_before,
                mark: record.mark,
                timeout_seconds: None,
            };
            writer.record(DumpedRecord::of(&entry, now_ns).as_bytes(), now_ns)?;
        }
        let ends = DumpEnds {
            now_ns,
            covered: None,
            lost: self.lost,
        };
        note_of(writer, note::DUMP_ENDS, &ends, now_ns)?;
        for (_, record) in deleted {
            writer.record(record.as_bytes(), record.time_ns)?;
        }
        Ok(())
    }

    /// Writes the known entries as a dump. If a dump is not complete yet, they are its first ones.
    fn dump(&self, writer: &mut Writer, model: &Model, now_ns: u64) -> Result<(), WriteError> {
        let mut flows: Vec<&Flow> = model.table.flows().filter(|flow| flow.is_confirmed()).collect();
        flows.sort_by_key(|flow| flow.number);
        if flows.is_empty() && self.covered.is_none() && self.dump_ns.is_none() {
            return Ok(());
        }
        writer.lost(self.lost);
        // Deleted entries before a dump are not expected to be destroyed after it.
        let oldest_ns = self.deleted.values().map(|record| record.time_ns).min();
        let begun_ns = oldest_ns.map_or(now_ns, |oldest_ns| oldest_ns.min(now_ns));
        let begins = DumpBegins {
            now_ns: self.dump_ns.unwrap_or(begun_ns),
        };
        note_of(writer, note::DUMP_BEGINS, &begins, now_ns)?;
        for flow in flows {
            let (entry, read_ns) = dumped(flow, now_ns);
            writer.record(DumpedRecord::of(&entry, read_ns).as_bytes(), now_ns)?;
        }
        if self.dump_ns.is_some() {
            return Ok(());
        }
        let ends = DumpEnds {
            now_ns,
            covered: self.covered.clone(),
            lost: self.lost,
        };
        note_of(writer, note::DUMP_ENDS, &ends, now_ns)
    }
}

/// A flow as an entry of a dump. The time of its reading is such that it expires exactly when it did.
fn dumped(flow: &Flow, now_ns: u64) -> (DumpedEntry, u64) {
    let left_ns = flow
        .expires_ns
        .map(|expires_ns| expires_ns.saturating_sub(now_ns));
    let left_s = left_ns.map(|left_ns| u32::try_from(left_ns / SECOND_NS).unwrap_or(u32::MAX - 1));
    let read_ns = match (flow.expires_ns, left_s) {
        (Some(expires_ns), Some(left_s)) => expires_ns.saturating_sub(u64::from(left_s) * SECOND_NS),
        _ => now_ns,
    };
    let entry = DumpedEntry {
        key: flow.tuple_key(),
        // Zeros stand for an unknown reply direction.
        reply: if flow.reply_known { flow.reply } else { [0; 5] },
        status: flow.status,
        state: flow.state,
        mark: flow.mark,
        timeout_seconds: left_s,
    };
    (entry, read_ns)
}
