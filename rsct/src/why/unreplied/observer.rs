//! Collects the packets and deletes of a watch, for the verdicts at its end.

use std::collections::HashSet;

use rsct_common::record::{EntryKind, EntryRecord, PacketFlags, PacketRecord};

use super::Subject;
use crate::{
    flow::{
        Flow,
        delete_kind::{self, DeleteKind},
    },
    names::status,
    observe::Observation,
    render::printed::Printer,
    why::sightings::Sightings,
};

/// The largest number of ended flows that are kept; further ones are only counted.
const MOST_ENDED: usize = 1 << 16;

/// Collects packets and deletes.
#[derive(Debug, Default)]
pub(crate) struct UnrepliedObserver {
    /// The packets.
    pub sightings: Sightings,
    /// Entries deleted without a reply.
    pub ended: Vec<Subject>,
    /// Number of further ones.
    pub more_ended: u64,
    /// Numbers of the flows that were UNREPLIED in a dump and have had a reply since.
    pub answered: HashSet<u64>,
}

impl Printer for UnrepliedObserver {
    fn print(&mut self, _out: &mut Vec<u8>, observation: Observation<'_>) {
        if let Observation::Packet(record, flow, ..) = observation {
            self.packet(record, flow);
        } else if let Observation::Entry(record, Some(flow), _) = observation {
            self.entry(record, flow);
        }
    }
}

impl UnrepliedObserver {
    fn packet(&mut self, record: &PacketRecord, flow: Option<&Flow>) {
        const KNOWN: u16 = PacketFlags::BEFORE | PacketFlags::AFTER;
        self.sightings.packet(record, flow);
        let answers = record.flags & KNOWN == KNOWN
            && record.status_before & (status::CONFIRMED | status::SEEN_REPLY) == status::CONFIRMED
            && record.status_after & status::SEEN_REPLY != 0;
        if answers && let Some(flow) = flow.filter(|flow| flow.from_dump) {
            self.answered.insert(flow.number);
        }
    }

    fn entry(&mut self, record: &EntryRecord, flow: &Flow) {
        let was_deleted =
            EntryKind::from_byte(record.what) == Some(EntryKind::Delete) && delete_kind::deleted(record);
        if !was_deleted
            || record.status_before & (status::CONFIRMED | status::SEEN_REPLY) != status::CONFIRMED
        {
            return;
        }
        if self.ended.len() == MOST_ENDED {
            self.more_ended += 1;
            return;
        }
        let mut flow = *flow;
        flow.status = record.status_before;
        flow.reply = record.reply;
        flow.reply_known = true;
        self.ended.push(Subject {
            flow,
            ended: Some(DeleteKind::of(record)),
        });
    }
}
