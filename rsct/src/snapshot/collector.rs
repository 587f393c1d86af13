//! Collects the figures of snapshots from the inputs of a source.

#[cfg(test)]
mod crowded;
mod observed;
#[cfg(test)]
mod silent;

use crate::{
    latency::Tally,
    observe::{Input, Model, Notice, Observer, Selection, Setup},
};

use super::{
    History, OfCause, Population, Snapshot, TableUse, Totals, cause_counts::CauseCounts, census::Census,
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
    /// Counts entries without flows, if none are kept.
    census: Option<Census>,
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

    /// Keeps no flows, so that its memory does not grow with the table. `expected` is the number of entries.
    pub(crate) fn without_flows(mut self, expected: usize) -> Self {
        let mut census = Census::default();
        census.expect(expected);
        self.figures.census = Some(census);
        self.model.table.keep_nothing();
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

    /// Counts a dump without flows.
    #[cold]
    fn count_dump(&mut self, input: Input<'_>) {
        let Some(census) = &mut self.figures.census else {
            return;
        };
        match input {
            Input::DumpBegins { .. } => census.begin(),
            Input::Dumped { entry, .. } => census.dumped(entry),
            Input::DumpEnds { covered, .. } => {
                if let (Some(population), Some(_)) = (census.end(), covered) {
                    self.figures.now.population = population;
                }
            }
            _ => {}
        }
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
            Input::DumpBegins { .. } | Input::Dumped { .. } | Input::DumpEnds { .. }
                if self.figures.census.is_some() =>
            {
                self.count_dump(input);
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
