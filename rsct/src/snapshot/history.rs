//! The last records of a session, for the history of a flow: a bounded number, whatever the traffic.

use std::collections::VecDeque;

use rsct_common::record::{EntryRecord, PacketRecord};

use crate::{
    causes::Why,
    flow::Flow,
    observe::{Observation, Reason},
};

/// Records of packets that are kept.
const PACKETS: usize = 4096;
/// Records of entries that are kept: they remain when packets flood.
const ENTRIES: usize = 4096;

/// The last records.
#[derive(Debug, Default)]
pub(crate) struct History {
    packets: VecDeque<OfPacket>,
    entries: VecDeque<OfEntry>,
    /// True once records were dropped.
    is_cut: bool,
}

#[derive(Debug)]
struct OfPacket {
    record: PacketRecord,
    flow: Option<Flow>,
    why: Option<Box<Why>>,
}

#[derive(Debug)]
struct OfEntry {
    record: EntryRecord,
    flow: Option<Flow>,
    why: Option<Box<Why>>,
}

impl History {
    /// Adds an observation.
    pub(super) fn add(&mut self, observation: Observation<'_>) {
        match observation {
            Observation::Packet(record, flow, _, reason) => {
                self.is_cut |= push(
                    &mut self.packets,
                    PACKETS,
                    OfPacket {
                        record: *record,
                        flow: flow.copied(),
                        why: reason.known().cloned().map(Box::new),
                    },
                );
            }
            Observation::Entry(record, flow, why) => {
                self.is_cut |= push(
                    &mut self.entries,
                    ENTRIES,
                    OfEntry {
                        record: *record,
                        flow: flow.copied(),
                        why: why.cloned().map(Box::new),
                    },
                );
            }
            Observation::Cause(_) => {}
        }
    }

    /// Returns whether older records were dropped.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// Passes on the kept observations in the order of time.
    pub(crate) fn replay(&self, mut take: impl FnMut(Observation<'_>)) {
        let (mut packets, mut entries) = (self.packets.iter().peekable(), self.entries.iter().peekable());
        loop {
            let is_packet = match (packets.peek(), entries.peek()) {
                (Some(packet), Some(entry)) => packet.record.time_ns <= entry.record.time_ns,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => return,
            };
            if is_packet && let Some(of) = packets.next() {
                let reason = of.why.as_deref().map_or(Reason::None, Reason::Known);
                take(Observation::Packet(&of.record, of.flow.as_ref(), None, reason));
            } else if let Some(of) = entries.next() {
                take(Observation::Entry(
                    &of.record,
                    of.flow.as_ref(),
                    of.why.as_deref(),
                ));
            }
        }
    }
}

/// Appends an element; returns whether the oldest had to go.
fn push<T>(all: &mut VecDeque<T>, most: usize, one: T) -> bool {
    let is_full = all.len() >= most;
    if is_full {
        all.pop_front();
    }
    all.push_back(one);
    is_full
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(time_ns: u64) -> PacketRecord {
        PacketRecord {
            time_ns,
            ..PacketRecord::default()
        }
    }

    fn entry(time_ns: u64) -> EntryRecord {
        EntryRecord {
            time_ns,
            ..EntryRecord::default()
        }
    }

    #[test]
    fn records_come_back_in_the_order_of_time() {
        let mut history = History::default();
        for time_ns in [1, 4] {
            history.add(Observation::Packet(&packet(time_ns), None, None, Reason::None));
        }
        for time_ns in [2, 3, 5] {
            history.add(Observation::Entry(&entry(time_ns), None, None));
        }
        let mut times = Vec::new();
        history.replay(|observation| times.push(observation.time_ns()));
        assert_eq!((times, history.is_cut()), (vec![1, 2, 3, 4, 5], false));
    }

    #[test]
    fn a_flood_of_packets_is_bounded_and_keeps_entries() {
        let mut history = History::default();
        history.add(Observation::Entry(&entry(0), None, None));
        for time_ns in 0..PACKETS as u64 + 10 {
            history.add(Observation::Packet(&packet(time_ns), None, None, Reason::None));
        }
        let mut kept = Vec::new();
        history.replay(|observation| kept.push(observation.time_ns()));
        assert_eq!((kept.len(), kept[0], kept[1]), (PACKETS + 1, 0, 10));
        assert!(history.is_cut());
    }
}
