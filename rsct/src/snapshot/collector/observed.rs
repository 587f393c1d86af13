//! The figures of each observation.

use rsct_common::record::{EntryRecord, PacketFlags, PacketRecord};

use super::{
    super::{
        Class, Figures,
        census::{class_of_entry, class_of_packet},
    },
    Collected,
};
use crate::{
    causes::{
        Why,
        tally::{FlowName, TaskName},
    },
    flow::{Flow, delete_kind, operation::Operation, outcome::Outcome},
    names::status,
    observe::{Notice, Observation, Observer, Reason},
};

impl Observer for Collected {
    fn needs_sources(&self) -> bool {
        false
    }

    fn observe(&mut self, observation: Observation<'_>) {
        if let Some(history) = &mut self.history {
            history.add(observation);
        }
        match observation {
            Observation::Packet(record, flow, _, reason) => self.packet(record, flow, reason),
            Observation::Entry(record, flow, why) => self.entry(record, flow, why),
            Observation::Cause(why) => self.causes.record(why),
        }
    }

    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Loss { total, .. } => self.lost = *total,
            Notice::CausesLost { total } => self.causes_lost = *total,
            Notice::Causes { .. } => self.causes_since_ns = Some(self.now_ns),
            Notice::NoCauses => {
                self.causes_since_ns = None;
                self.causes.detached();
            }
            _ => {}
        }
        self.now.totals.lost = self.lost + self.causes_lost;
        self.notices.push(notice.clone());
    }
}

impl Collected {
    fn packet(&mut self, record: &PacketRecord, flow: Option<&Flow>, reason: Reason<'_>) {
        let outcome = Outcome::of(record);
        let totals = &mut self.now.totals;
        totals.packets += 1;
        totals.bytes += u64::from(record.len_bytes);
        match outcome {
            Outcome::Created => totals.created += 1,
            Outcome::Invalid => totals.invalid += 1,
            Outcome::Dropped => totals.dropped += 1,
            _ => {}
        }
        let timed = record.flags & PacketFlags::DURATION != 0;
        if timed {
            self.now.durations.add_value(u64::from(record.duration_ns));
        }
        let figures = Figures {
            packets: 1,
            bytes: u64::from(record.len_bytes),
            created: u64::from(outcome == Outcome::Created),
            cost_ns: if timed { u64::from(record.duration_ns) } else { 0 },
        };
        self.culprits(record, flow, &figures);
        if (flow.is_some() || self.census.is_some())
            && outcome == Outcome::Tracked
            && record.flags & PacketFlags::BEFORE != 0
            && record.state_before != record.state_after
        {
            let class = class_of_packet(record);
            self.now.population.changed(class, record.state_before);
            if let Some(census) = &mut self.census {
                census.changed(record, class);
            }
        }
        if let Reason::Known(why) = reason {
            self.causes.record(why);
        }
    }

    fn culprits(&mut self, record: &PacketRecord, flow: Option<&Flow>, figures: &Figures) {
        let culprits = &mut self.now.culprits;
        if record.flags & PacketFlags::TASK != 0 {
            let name = TaskName {
                pid: record.pid,
                comm: record.comm,
            };
            self.pending.add_task(name, figures, &mut culprits.tasks);
        }
        let name = |tuple| FlowName {
            netns: record.netns,
            zone: record.zone,
            tuple,
        };
        match flow {
            Some(flow) => {
                let name = || name(flow.orig);
                self.pending.add(flow.number, name, figures, culprits);
            }
            None => self.pending.add_other(name(record.tuple), figures, culprits),
        }
    }

    fn entry(&mut self, record: &EntryRecord, flow: Option<&Flow>, why: Option<&Why>) {
        let totals = &mut self.now.totals;
        match Operation::of(record) {
            Some(Operation::Confirmed | Operation::Created) => {
                totals.inserted += 1;
                if let Some(census) = &mut self.census {
                    let class = class_of_entry(record, true);
                    self.now.population.add(class, 1);
                    census.inserted(record, class);
                } else if let Some(flow) = flow {
                    self.now.population.add(Class::of(flow), 1);
                }
            }
            Some(Operation::Deleted(_)) if delete_kind::deleted(record) => {
                totals.deleted += 1;
                if let Some(census) = &mut self.census {
                    let class = class_of_entry(record, false);
                    if record.status_before & status::CONFIRMED != 0 {
                        self.now.population.add(class, -1);
                        census.deleted(record, class);
                    }
                } else if let Some(flow) = flow.filter(|flow| flow.is_confirmed()) {
                    self.now.population.add(Class::of(flow), -1);
                }
            }
            Some(Operation::AllocFailed | Operation::NotConfirmed | Operation::NotCreated) => {
                totals.insert_failed += 1;
            }
            _ => {}
        }
        if let Some(why) = why {
            self.causes.record(why);
        }
    }
}
