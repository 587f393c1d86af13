//! Feeds the simulation with observations.

use std::collections::HashMap;

use rsct_common::{
    Tuple,
    record::{EntryFlags, EntryKind, EntryRecord, PacketFlags, PacketRecord},
};

use crate::{
    flow::{
        TupleKey,
        delete_kind::{self, DeleteKind},
        outcome::Outcome,
    },
    kernel::hz::Hz,
    names::{self, status},
    observe::Observation,
    provenance,
    render::printed::Printer,
    timeouts::{Defaults, Protocol, Setter, Spans, TimeoutSource},
};

use super::{PacketUpdate, Simulation, simulation::Seed};

/// Feeds a simulation with observations.
#[derive(Debug)]
pub(crate) struct TrialObserver {
    ticks: Hz,
    simulation: Simulation,
    /// The protocol's defaults in each namespace, as they were when it was first seen.
    defaults: HashMap<u32, Spans>,
}

impl TrialObserver {
    /// Feeds this simulation.
    pub(crate) fn new(simulation: Simulation, ticks: Hz) -> Self {
        Self {
            ticks,
            simulation,
            defaults: HashMap::new(),
        }
    }

    /// The simulation so far.
    pub(crate) fn simulation(&self) -> &Simulation {
        &self.simulation
    }

    /// Adds an entry of the first dump, with the source of its timeout.
    pub(crate) fn seed(&mut self, key: TupleKey, now_ns: u64, left_s: u32, source: &TimeoutSource<'_>) {
        let tried = match (source.setter, source.governing) {
            (Setter::Defaults, Some(governing)) => self.tried(governing.state.attribute),
            _ => None,
        };
        self.simulation.seed(&Seed {
            key,
            now_ns,
            left_ms: u64::from(left_s) * 1000,
            otherwise: source.value_ms.zip(tried),
        });
    }

    fn tried(&self, attribute: u16) -> Option<u64> {
        let values = &self.simulation.trial().values;
        let of = |(kind, _): &&(u16, u64)| *kind == attribute;
        values.iter().find(of).map(|(_, ms)| *ms)
    }

    /// Returns whether the trial is of this protocol.
    pub(crate) fn is_tried(&self, protonum: u8) -> bool {
        Protocol::of_number(protonum).number == self.simulation.trial().protocol.number
    }

    fn packet(&mut self, record: &PacketRecord, source: Option<&TimeoutSource<'_>>) {
        let outcome = Outcome::of(record);
        if !matches!(outcome, Outcome::Created | Outcome::Tracked) {
            return;
        }
        let left_ms = self.ticks.left_ms(
            record.status_after,
            record.timeout_after_jiffies,
            record.now_jiffies,
        );
        let packet = PacketUpdate {
            key: TupleKey::of_packet(record),
            now_ns: record.time_ns,
            left_ms: u64::try_from(left_ms).unwrap_or(0),
            is_reply: names::is_reply(record.ctinfo),
            creates: outcome == Outcome::Created && record.flags & PacketFlags::AFTER != 0,
        };
        let is_default =
            source.is_some_and(|source| source.setter == Setter::Defaults && source.governing.is_some());
        let sight = provenance::sight(record);
        let of_default = self
            .defaults
            .get(&record.netns)
            .filter(|_| is_default)
            .map(|spans| (&sight, spans));
        self.simulation.packet(&packet, of_default);
    }

    fn entry(&mut self, record: &EntryRecord) {
        let key = |tuple| TupleKey {
            netns: record.netns,
            zone: record.zone,
            orig: tuple,
        };
        match EntryKind::from_byte(record.what) {
            Some(EntryKind::ChangeTimeout | EntryKind::CheckInsert) => {
                let left_ms = self.ticks.left_ms(
                    record.status_after,
                    record.timeout_after_jiffies,
                    record.now_jiffies,
                );
                let left_ms = u64::try_from(left_ms).unwrap_or(0);
                self.simulation.set(key(record.orig), record.time_ns, left_ms);
            }
            Some(EntryKind::Confirm)
                if record.flags & EntryFlags::OTHER_ENTRY == 0
                    && record.status_after & status::CONFIRMED != 0 =>
            {
                self.simulation.confirmed(key(record.orig));
            }
            Some(EntryKind::Destroy) if record.status_before & status::CONFIRMED == 0 => {
                self.simulation.never_confirmed(key(record.orig));
            }
            Some(EntryKind::Delete) if delete_kind::deleted(record) => {
                let expired = DeleteKind::of(record) == DeleteKind::Expired;
                self.simulation.deleted(
                    key(record.orig),
                    key(record.reply),
                    record.time_ns,
                    expired,
                    record.status_before,
                );
            }
            _ => {}
        }
    }
}

/// Prints nothing until the report at the end.
impl Printer for TrialObserver {
    fn print(&mut self, _out: &mut Vec<u8>, observation: Observation<'_>) {
        match observation {
            Observation::Cause(_) => {}
            Observation::Packet(record, _, source, _) => {
                if self.is_tried(Tuple::from_words(record.tuple).protonum) {
                    self.packet(record, source.as_ref());
                }
            }
            Observation::Entry(record, _, _) => {
                if self.is_tried(Tuple::from_words(record.orig).protonum) {
                    self.entry(record);
                }
            }
        }
    }

    fn defaults(&mut self, netns: u32, defaults: &Defaults) {
        let protocol = self.simulation.trial().protocol.number;
        if let Some(spans) = defaults.get(&protocol) {
            self.defaults.entry(netns).or_insert_with(|| spans.clone());
        }
    }
}
