//! What is taken in of a watch until entries are judged.

use std::collections::HashSet;

use rsct_common::record::{EntryKind, EntryRecord, PacketFlags, PacketRecord};

use super::Subject;
use crate::{
    flow::{
        Flow,
        cause::{self, DeleteKind},
        names::status,
        observation::{Observation, Observer},
    },
    why::sightings::Sightings,
};

/// How many flows that ended are kept; of the others it is said how many they were.
const MOST_ENDED: usize = 1 << 16;

/// Takes in what happens, until entries are judged.
#[derive(Debug, Default)]
pub struct Watching {
    /// What passed where.
    pub sightings: Sightings,
    /// Entries that went without a reply.
    pub ended: Vec<Subject>,
    /// How many more of those there were.
    pub more_ended: u64,
    /// Numbers of the flows that a dump had as UNREPLIED, and that have been replied to.
    pub answered: HashSet<u64>,
}

impl Observer for Watching {
    fn observe(&mut self, _out: &mut Vec<u8>, observation: Observation<'_>) {
        if let Observation::Packet(record, flow, ..) = observation {
            self.packet(record, flow);
        } else if let Observation::Entry(record, Some(flow), _) = observation {
            self.entry(record, flow);
        }
    }
}

impl Watching {
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
        let went = EntryKind::from_byte(record.what) == Some(EntryKind::Delete) && cause::deleted(record);
        if !went || record.status_before & (status::CONFIRMED | status::SEEN_REPLY) != status::CONFIRMED {
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
