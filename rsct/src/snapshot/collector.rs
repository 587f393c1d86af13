//! Collects the figures of snapshots from the inputs of a source.

use std::collections::HashMap;

use rsct_common::{
    TupleWords,
    record::{EntryRecord, PacketFlags, PacketRecord},
};

use crate::{
    causes::{
        Cause, Why,
        tally::{FlowName, TaskName},
    },
    flow::{Flow, delete_kind, operation::Operation, outcome::Outcome},
    latency::Tally,
    names,
    observe::{Input, Model, Notice, Observation, Observer, Reason, Selection, Setup},
};

use super::{Class, Destination, Figures, OfCause, Population, Snapshot, Source, TableUse, Totals};

/// Collects figures.
#[derive(Debug)]
pub(crate) struct Collector {
    /// The flows.
    pub model: Model,
    figures: Collected,
    started_ns: u64,
}

#[derive(Debug, Default)]
struct Collected {
    now: Snapshot,
    /// Places in `now.causes`.
    causes: HashMap<Cause, usize>,
    /// The kernel's own counts of entries, by namespace.
    entries: Vec<(u32, u32)>,
    /// `net.netfilter.nf_conntrack_max`, by namespace.
    limits: Vec<(u32, u32)>,
    /// Lost records and skipped programs of the trace, and lost causes.
    lost: u64,
    causes_lost: u64,
    /// Changes of the stream that were not taken yet.
    notices: Vec<Notice>,
}

impl Collector {
    /// Has seen nothing yet.
    pub(crate) fn new(setup: &Setup, selection: Selection) -> Self {
        Self {
            model: Model::new(setup, selection),
            figures: Collected::default(),
            started_ns: setup.started_ns,
        }
    }

    /// The begin of the first interval.
    pub(crate) fn started_ns(&self) -> u64 {
        self.started_ns
    }

    /// Takes one input.
    #[inline]
    pub(crate) fn take(&mut self, input: Input<'_>) {
        self.model.take(input, &mut self.figures);
        match input {
            Input::Ended(ended) => {
                let lost = ended.lost.total() + ended.skips.counted + ended.malformed + ended.causes_lost;
                self.figures.now.totals.lost = self.figures.now.totals.lost.max(lost);
            }
            Input::DumpEnds { .. } => self.figures.now.population = Population::of(&self.model.table),
            Input::Counted(counted) => {
                if let Some(counters) = &counted.counters {
                    self.figures.entries.clone_from(&counters.entries);
                    self.figures.limits.clone_from(&counters.max_entries);
                }
            }
            _ => {}
        }
    }

    /// The changes of the stream since the last call.
    pub(crate) fn notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.figures.notices)
    }

    /// The totals so far.
    pub(crate) fn totals(&self) -> Totals {
        self.figures.now.totals
    }

    /// The entries.
    pub(crate) fn population(&self) -> &Population {
        &self.figures.now.population
    }

    /// The causes that occurred, in the order of their first occurrence.
    pub(crate) fn causes(&self) -> &[OfCause] {
        &self.figures.now.causes
    }

    /// Durations of `nf_conntrack_in`.
    pub(crate) fn durations(&self) -> &Tally {
        &self.figures.now.durations
    }

    /// The use of each namespace's table.
    pub(crate) fn tables(&self) -> Vec<TableUse> {
        let now = &self.figures.now;
        let population = now.population.by_netns();
        let mut inodes: Vec<u32> = population.keys().copied().collect();
        inodes.extend(self.figures.limits.iter().map(|(netns, _)| *netns));
        inodes.sort_unstable();
        inodes.dedup();
        let of = |counts: &[(u32, u32)], netns: u32| {
            let found = counts.iter().find(|(of, _)| *of == netns);
            found.map(|(_, count)| *count)
        };
        inodes
            .into_iter()
            .map(|netns| TableUse {
                netns,
                entries: of(&self.figures.entries, netns)
                    .map_or_else(|| population.get(&netns).copied().unwrap_or(0), u64::from),
                max: of(&self.figures.limits, netns),
            })
            .collect()
    }

    /// The figures at a time.
    pub(crate) fn snapshot(&self, time_ns: u64) -> Snapshot {
        let mut now = self.figures.now.clone();
        now.time_ns = time_ns;
        now.tables = self.tables();
        now.unfired = self
            .model
            .unfired
            .iter()
            .map(|unfired| unfired.to_string())
            .collect();
        now
    }
}

impl Observer for Collected {
    fn observe(&mut self, observation: Observation<'_>) {
        match observation {
            Observation::Packet(record, flow, _, reason) => self.packet(record, flow, reason),
            Observation::Entry(record, flow, why) => self.entry(record, flow, why),
            Observation::Cause(why) => self.cause(why),
        }
    }

    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Loss { total, .. } => self.lost = *total,
            Notice::CausesLost { total } => self.causes_lost = *total,
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
        if let Some(flow) = flow
            && outcome == Outcome::Tracked
            && record.flags & PacketFlags::BEFORE != 0
            && record.state_before != record.state_after
        {
            let class = Class {
                state: record.state_after,
                ..Class::of(flow)
            };
            self.now.population.changed(class, record.state_before);
        }
        if let Reason::Known(why) = reason {
            self.cause(why);
        }
    }

    fn culprits(&mut self, record: &PacketRecord, flow: Option<&Flow>, figures: &Figures) {
        let culprits = &mut self.now.culprits;
        let words: TupleWords = flow.map_or(record.tuple, |flow| flow.orig);
        let tuple = rsct_common::Tuple::from_words(words);
        let netns = record.netns;
        culprits.namespaces.add(netns, figures);
        culprits.sources.add(
            Source {
                netns,
                addr: tuple.src_addr(),
            },
            figures,
        );
        let port = match names::proto::has_ports(tuple.protonum) {
            true => tuple.dst_port(),
            false => 0,
        };
        culprits.destinations.add(
            Destination {
                netns,
                addr: tuple.dst_addr(),
                protonum: tuple.protonum,
                port,
            },
            figures,
        );
        if record.flags & PacketFlags::TASK != 0 {
            culprits.tasks.add(
                TaskName {
                    pid: record.pid,
                    comm: record.comm,
                },
                figures,
            );
        }
        if flow.is_some() {
            culprits.flows.add(
                FlowName {
                    netns,
                    zone: record.zone,
                    tuple: words,
                },
                figures,
            );
        }
    }

    fn entry(&mut self, record: &EntryRecord, flow: Option<&Flow>, why: Option<&Why>) {
        let totals = &mut self.now.totals;
        match Operation::of(record) {
            Some(Operation::Confirmed | Operation::Created) => {
                totals.inserted += 1;
                if let Some(flow) = flow {
                    self.now.population.add(Class::of(flow), 1);
                }
            }
            Some(Operation::Deleted(_)) if delete_kind::deleted(record) => {
                totals.deleted += 1;
                if let Some(flow) = flow.filter(|flow| flow.is_confirmed()) {
                    self.now.population.add(Class::of(flow), -1);
                }
            }
            Some(Operation::AllocFailed | Operation::NotConfirmed | Operation::NotCreated) => {
                totals.insert_failed += 1;
            }
            _ => {}
        }
        if let Some(why) = why {
            self.cause(why);
        }
    }

    fn cause(&mut self, why: &Why) {
        let causes = &mut self.now.causes;
        let index = *self.causes.entry(why.cause).or_insert_with(|| {
            causes.push(OfCause {
                cause: why.cause,
                count: 0,
                flows: Default::default(),
            });
            causes.len() - 1
        });
        let Some(of) = causes.get_mut(index) else { return };
        of.count += 1;
        if why.record.tuple != TupleWords::default() {
            of.flows.add(FlowName {
                netns: why.record.netns,
                zone: why.record.zone,
                tuple: why.record.tuple,
            });
        }
    }
}

#[cfg(test)]
impl Collector {
    /// Of a crowd: many namespaces, every cause, more flows, sources and tasks than are counted each.
    pub(crate) fn crowded(setup: &Setup, namespaces: u32) -> Self {
        let mut collector = Self::new(setup, Selection::default());
        let now = &mut collector.figures.now;
        let figures = Figures {
            packets: 1,
            bytes: 1 << 40,
            created: 1,
            cost_ns: 1,
        };
        for netns in 0..namespaces {
            for state in 0..32 {
                let class = Class {
                    netns,
                    zone: u16::MAX,
                    protonum: state,
                    state,
                };
                now.population.add(class, i64::from(state));
            }
            now.culprits.namespaces.add(netns, &figures);
        }
        let flow = |number: u32| FlowName {
            netns: number % namespaces,
            zone: u16::MAX,
            tuple: TupleWords::from([u64::from(number) << 32 | u64::MAX >> 32; 5]),
        };
        for number in 0..20_000_u32 {
            now.culprits.flows.add(flow(number), &figures);
            let netns = number % namespaces;
            let addr = std::net::Ipv6Addr::from(u128::MAX - u128::from(number)).into();
            now.culprits.sources.add(Source { netns, addr }, &figures);
            let pid = number;
            let comm = *b"<b>\x1b[31m\n\"'&`|\\_";
            now.culprits.tasks.add(TaskName { pid, comm }, &figures);
            now.durations.add_value(u64::from(number).pow(2));
        }
        now.causes = Cause::all()
            .map(|cause| {
                let mut flows = crate::causes::top::Top::default();
                (0..1000).for_each(|number| flows.add(flow(number)));
                OfCause {
                    cause,
                    count: 1 << 50,
                    flows,
                }
            })
            .collect();
        now.totals.packets = 1 << 50;
        collector.figures.limits = (0..namespaces).map(|netns| (netns, u32::MAX)).collect();
        collector
    }

    /// Changes every figure, as far as that is possible.
    pub(crate) fn vary(&mut self, number: u64) {
        let now = &mut self.figures.now;
        for shift in 0..40 {
            for part in 0..16 {
                (0..=(number / 7 + shift * part) % 5)
                    .for_each(|_| now.durations.add_value((16 + part) << shift));
            }
        }
        for (place, of) in (0..).zip(&mut now.causes) {
            of.count = of.count.saturating_add(number * place % 97);
        }
        let state = (number / 60 % 32) as u8;
        let class = Class {
            netns: 0,
            zone: 0,
            protonum: state,
            state,
        };
        now.population.add(class, 1_000_000);
        now.totals.packets += number % 1013;
        now.totals.inserted += number % 1019;
        now.totals.deleted += number % 1021;
        now.totals.invalid += number % 1031;
        now.totals.dropped += number % 1033;
        now.totals.insert_failed += number % 1039;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        observe::Ended,
        records::{Lost, Skips},
    };

    #[test]
    fn lost_records_and_lost_causes_are_added_up() {
        let mut figures = Collected::default();
        figures.notice(&Notice::Loss {
            lost: 2,
            total: 5,
            losses: Lost::default(),
            skipped: 1,
        });
        figures.notice(&Notice::CausesLost { total: 4 });
        assert_eq!(figures.now.totals.lost, 9);
        let setup = Setup {
            hz: crate::kernel::hz::Hz::new(250).unwrap(),
            started_ns: 0,
            with_causes: true,
            only_netns: None,
            is_unfiltered: true,
        };
        let mut collector = Collector::new(&setup, Selection::default());
        collector.take(Input::Ended(&Ended {
            malformed: 3,
            causes_lost: 4,
            skips: Skips {
                counted: 2,
                ..Skips::default()
            },
            ..Ended::default()
        }));
        assert_eq!(
            collector.totals().lost,
            9,
            "losses after the last notice count too"
        );
    }
}
