//! Packets: joined with their flow, explained and reported.

use rsct_common::record::{PacketFlags, PacketRecord};

use crate::{
    flow::{PolicyOf, outcome::Outcome},
    observe::{Observation, Observer, Reason, whys::Programs},
};

use super::Model;

impl Model {
    pub(super) fn packet(&mut self, record: &PacketRecord, observer: &mut impl Observer) {
        if record.time_ns < self.setup.started_ns {
            return;
        }
        if let Some(selection) = &self.selection
            && !selection.tracks_packet(record, self.table.of_packet(record))
        {
            return;
        }
        let flow = self.table.packet(record);
        if let Some(selection) = &self.selection
            && !selection.reports_packet(record, flow)
        {
            return;
        }
        self.counts.packets += 1;
        let outcome = Outcome::of(record);
        match outcome {
            Outcome::Invalid => self.counts.invalid += 1,
            Outcome::Dropped => self.counts.dropped += 1,
            _ => {}
        }
        self.counts.incomplete += u64::from(record.flags & PacketFlags::DURATION == 0);
        if !observer.explains() {
            observer.observe(Observation::Packet(record, flow, None, Reason::None));
            return;
        }
        let found = match observer.needs_sources() {
            true => {
                let policy = flow.map_or(PolicyOf::NONE, |flow| flow.policy);
                self.timeouts.find_source(record, policy, self.now_ns)
            }
            false => None,
        };
        let why = match outcome {
            Outcome::Invalid => self.whys.of_invalid(record, self.now_ns),
            _ => None,
        };
        if let Some(want) = self.timeouts.wanted() {
            self.wanted = Some(want);
            // The cause of an INVALID packet is claimed; it sets no timeout.
            if why.is_none() {
                self.waiting = Some(Box::new(*record));
                return;
            }
        }
        let reason = match why.as_deref() {
            Some(why) => Reason::Known(why),
            None if outcome == Outcome::Invalid && self.whys.programs == Programs::Coming => Reason::NotYet,
            None => Reason::None,
        };
        let source = found.map(|found| self.timeouts.source(found));
        observer.observe(Observation::Packet(record, flow, source, reason));
    }

    /// Reports the packet that waited for a fact.
    #[cold]
    pub(super) fn go_on(&mut self, observer: &mut impl Observer) {
        let Some(record) = self.waiting.take() else { return };
        // No other record was taken since, so the flow is as the packet left it.
        let flow = self.table.packet(&record);
        let policy = flow.map_or(PolicyOf::NONE, |flow| flow.policy);
        let found = self.timeouts.find_source(&record, policy, self.now_ns);
        let _ = self.timeouts.wanted();
        let source = found.map(|found| self.timeouts.source(found));
        observer.observe(Observation::Packet(&record, flow, source, Reason::None));
    }
}
