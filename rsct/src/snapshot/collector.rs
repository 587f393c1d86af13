//! Collects the figures of snapshots from the inputs of a source.

#[cfg(test)]
mod crowded;
#[cfg(test)]
mod silent;

use rsct_common::record::{EntryRecord, PacketFlags, PacketRecord};

use crate::{
    causes::{
        Why,
        tally::{FlowName, TaskName},
    },
    flow::{Flow, delete_kind, operation::Operation, outcome::Outcome},
    latency::Tally,
    observe::{Input, Model, Notice, Observation, Observer, Reason, Selection, Setup},
};

use super::{
    Class, Figures, History, OfCause, Population, Snapshot, TableUse, Totals, cause_counts::CauseCounts,
    pending::Pending,
};

/// Collects figures.
#[derive(Debug)]
pub(crate) struct Collector {
    /// The flows.
    pub model: Model,
    figures: Collected,
    setup: Setup,
}

#[derive(Debug, Default)]
struct Collected {
    now: Snapshot,
    causes: CauseCounts,
    /// Since when the programs of causes report.
    causes_since_ns: Option<u64>,
    /// Packets that no leader has yet.
    pending: Pending,
    /// The last records, if they are kept.
    history: Option<History>,
    /// The latest time that the source reported.
    now_ns: u64,
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
            figures: Collected {
                causes: CauseCounts::new(selection.is_all()),
                now_ns: setup.started_ns,
                ..Collected::default()
            },
            model: Model::new(setup, selection),
            setup: setup.clone(),
        }
    }

    /// Also keeps the last records and examples of causes.
    pub(crate) fn with_history(mut self) -> Self {
        self.figures.history = Some(History::default());
        self.figures.causes.keep_examples();
        self
    }

    /// Only counts the entries that no record has shown: their flows are unknown, and need no memory.
    pub(crate) fn counting_silent(mut self) -> Self {
        self.model.table.count_silent();
        self
    }

    /// The last records.
    pub(crate) fn history(&self) -> Option<&History> {
        self.figures.history.as_ref()
    }

    /// The begin of the first interval.
    pub(crate) fn started_ns(&self) -> u64 {
        self.setup.started_ns
    }

    /// The start of the stream.
    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Takes one input.
    #[inline]
    pub(crate) fn take(&mut self, input: Input<'_>) {
        self.model.take(input, &mut self.figures);
        self.figures_of(input);
    }

    /// Takes one input, and passes the observations on to another observer, too.
    pub(crate) fn take_with(&mut self, input: Input<'_>, other: &mut impl Observer) {
        self.model.take(input, &mut (&mut self.figures, other));
        self.figures_of(input);
    }

    #[inline]
    fn figures_of(&mut self, input: Input<'_>) {
        match input {
            Input::Settled { now_ns } => self.figures.now_ns = now_ns,
            Input::Ended(ended) => {
                let lost = ended.lost.total() + ended.skips.counted + ended.malformed + ended.causes_lost;
                self.figures.now.totals.lost = self.figures.now.totals.lost.max(lost);
            }
            Input::DumpEnds { .. } => self.figures.now.population = Population::of(&self.model.table),
            Input::Fact(fact) => self.figures.causes.fact(fact),
            Input::Counted(counted) => {
                self.figures.causes.counted(counted);
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
        &self.figures.causes.causes
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
        self.figures.pending.add_to(&mut now.culprits);
        now.tables = self.tables();
        now.causes.clone_from(&self.figures.causes.causes);
        now.causes_since_ns = self.figures.causes_since_ns;
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
            self.causes.record(why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        observe::Ended,
        records::{HookCounts, Lost, Skips},
    };

    pub(super) fn setup() -> Setup {
        Setup {
            hz: crate::kernel::hz::Hz::new(250).unwrap(),
            started_ns: 0,
            with_causes: true,
            only_netns: None,
            is_unfiltered: true,
        }
    }

    #[test]
    fn causes_are_counted_since_their_programs_were_attached_last() {
        let mut collector = Collector::new(&setup(), Selection::default());
        let hooks = HookCounts::default();
        let mut since = |notice, now_ns| {
            collector.take(Input::Settled { now_ns });
            collector.take(Input::Notice(&notice));
            collector.snapshot(now_ns).causes_since_ns
        };
        assert_eq!(since(Notice::Causes { hooks }, 5), Some(5));
        assert_eq!(since(Notice::NoCauses, 6), None);
        assert_eq!(since(Notice::Causes { hooks }, 7), Some(7));
    }

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
        let mut collector = Collector::new(&setup(), Selection::default());
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
