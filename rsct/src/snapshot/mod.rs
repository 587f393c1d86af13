//! The figures of a moment, which the screen, the report and JSON draw: totals, causes, entries, leaders, durations, losses.
//!
//! All totals grow from the start; [`Snapshot::since`] yields those of an interval.

mod cause_counts;
mod census;
mod collector;
mod history;
mod leaders;
mod pending;
mod population;

use std::collections::BTreeMap;

pub(crate) use cause_counts::OfCause;
pub(crate) use collector::Collector;
pub(crate) use history::History;
pub(crate) use leaders::{Figures, Leaders};
pub(crate) use population::Population;

pub(crate) use crate::flow::Class;
use crate::{
    causes::tally::{FlowName, TaskName},
    latency::Tally,
};

/// Totals of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    /// Packets that traversed conntrack.
    pub packets: u64,
    /// Their bytes, from the network header on.
    pub bytes: u64,
    /// Packets with an entry that is not in the table yet.
    pub created: u64,
    /// Entries that came into the table.
    pub inserted: u64,
    /// Entries that were deleted.
    pub deleted: u64,
    /// INVALID packets.
    pub invalid: u64,
    /// Packets that conntrack dropped.
    pub dropped: u64,
    /// Entries that could not be inserted or allocated.
    pub insert_failed: u64,
    /// Lost records and skipped programs.
    pub lost: u64,
}

impl Totals {
    /// Each total with its name, in the order of display.
    pub(crate) fn named(&self) -> [(&'static str, u64); 9] {
        [
            ("packets", self.packets),
            ("bytes", self.bytes),
            ("created", self.created),
            ("inserted", self.inserted),
            ("deleted", self.deleted),
            ("invalid", self.invalid),
            ("dropped", self.dropped),
            ("insert_failed", self.insert_failed),
            ("lost", self.lost),
        ]
    }

    /// The growth since an earlier state.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        Self {
            packets: self.packets - earlier.packets,
            bytes: self.bytes - earlier.bytes,
            created: self.created - earlier.created,
            inserted: self.inserted - earlier.inserted,
            deleted: self.deleted - earlier.deleted,
            invalid: self.invalid - earlier.invalid,
            dropped: self.dropped - earlier.dropped,
            insert_failed: self.insert_failed - earlier.insert_failed,
            lost: self.lost.saturating_sub(earlier.lost),
        }
    }
}

/// An address in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Source {
    /// Inode number of the namespace.
    pub netns: u32,
    /// The source address of the original direction.
    pub addr: std::net::IpAddr,
}

/// A service in a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Destination {
    /// Inode number of the namespace.
    pub netns: u32,
    /// The destination address of the original direction.
    pub addr: std::net::IpAddr,
    /// The protocol.
    pub protonum: u8,
    /// The destination port; zero for a protocol without ports.
    pub port: u16,
}

/// The flows, sources, … with the highest figures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Culprits {
    /// Flows.
    pub flows: Leaders<FlowName>,
    /// Sources.
    pub sources: Leaders<Source>,
    /// Destinations.
    pub destinations: Leaders<Destination>,
    /// Processes that sent packets.
    pub tasks: Leaders<TaskName>,
    /// Namespaces.
    pub namespaces: Leaders<u32>,
}

impl Culprits {
    /// Returns whether there were too many to count each: the figures are then lower bounds.
    pub(crate) fn are_bounds(&self) -> bool {
        self.flows.are_bounds()
            || self.sources.are_bounds()
            || self.destinations.are_bounds()
            || self.tasks.are_bounds()
            || self.namespaces.are_bounds()
    }
}

/// The use of a namespace's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TableUse {
    /// Inode number of the namespace.
    pub netns: u32,
    /// Entries: the kernel's count if it was read, else those that records and dumps show.
    pub entries: u64,
    /// `net.netfilter.nf_conntrack_max`, if it was read.
    pub max: Option<u32>,
}

impl TableUse {
    /// The time until the table is full at this growth; none if it does not grow, or the limit is unknown.
    pub(crate) fn full_in_s(&self, growth: i64, interval_ns: u64) -> Option<u64> {
        let growth = u64::try_from(growth).ok().filter(|growth| *growth > 0)?;
        let left = u64::from(self.max?).saturating_sub(self.entries);
        let per_entry_ns = interval_ns / growth;
        Some(left.saturating_mul(per_entry_ns) / 1_000_000_000)
    }
}

/// The figures of a moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Snapshot {
    /// The time on the monotonic clock.
    pub time_ns: u64,
    /// Totals.
    pub totals: Totals,
    /// The use of each namespace's table.
    pub tables: Vec<TableUse>,
    /// The causes that occurred.
    pub causes: Vec<OfCause>,
    /// Since when the programs of causes report; none while they are not attached.
    pub causes_since_ns: Option<u64>,
    /// The entries.
    pub population: Population,
    /// The flows, sources, … with the highest figures.
    pub culprits: Culprits,
    /// Durations of `nf_conntrack_in`.
    pub durations: Tally,
    /// The hooks that have not fired although a dump shows that they should have.
    pub unfired: Vec<String>,
}

/// The figures of an interval.
#[derive(Clone, Debug)]
pub(crate) struct Interval<'a> {
    /// Its end.
    pub now: &'a Snapshot,
    /// Its begin.
    earlier: &'a Snapshot,
    /// Its length.
    pub length_ns: u64,
    /// Totals of the interval.
    pub totals: Totals,
    /// Durations in the interval.
    pub durations: Tally,
}

impl Snapshot {
    /// The figures since an earlier snapshot.
    pub(crate) fn since<'a>(&'a self, earlier: &'a Self) -> Interval<'a> {
        Interval {
            now: self,
            earlier,
            length_ns: self.time_ns.saturating_sub(earlier.time_ns),
            totals: self.totals.since(&earlier.totals),
            durations: self.durations.since(&earlier.durations),
        }
    }
}

impl Interval<'_> {
    /// A total as a rate.
    pub(crate) fn per_second(&self, count: u64) -> f64 {
        if self.length_ns == 0 {
            return 0.0;
        }
        count as f64 * 1e9 / self.length_ns as f64
    }

    /// The causes of the interval, the most frequent first.
    pub(crate) fn causes(&self) -> Vec<(&OfCause, u64)> {
        let before: BTreeMap<&str, u64> = self
            .earlier
            .causes
            .iter()
            .map(|of| (of.cause.name(), of.count))
            .collect();
        let mut grown: Vec<(&OfCause, u64)> = self
            .now
            .causes
            .iter()
            .map(|of| {
                (
                    of,
                    of.count
                        .saturating_sub(before.get(of.cause.name()).copied().unwrap_or(0)),
                )
            })
            .filter(|(_, count)| *count > 0)
            .collect();
        grown.sort_by(|(a, one), (b, other)| other.cmp(one).then_with(|| a.cause.name().cmp(b.cause.name())));
        grown
    }

    /// The growth of a namespace's table.
    pub(crate) fn growth(&self, table: &TableUse) -> i64 {
        let before = self.earlier.tables.iter().find(|of| of.netns == table.netns);
        before.map_or(0, |before| {
            table.entries.cast_signed() - before.entries.cast_signed()
        })
    }

    /// The flows with the highest figures.
    pub(crate) fn flows(&self, most: usize, by: impl Fn(&Figures) -> u64) -> Vec<(FlowName, Figures)> {
        self.now
            .culprits
            .flows
            .top(&self.earlier.culprits.flows, most, by)
    }

    /// The sources with the highest figures.
    pub(crate) fn sources(&self, most: usize, by: impl Fn(&Figures) -> u64) -> Vec<(Source, Figures)> {
        self.now
            .culprits
            .sources
            .top(&self.earlier.culprits.sources, most, by)
    }

    /// The destinations with the highest figures.
    pub(crate) fn destinations(
        &self,
        most: usize,
        by: impl Fn(&Figures) -> u64,
    ) -> Vec<(Destination, Figures)> {
        self.now
            .culprits
            .destinations
            .top(&self.earlier.culprits.destinations, most, by)
    }

    /// The processes with the highest figures.
    pub(crate) fn tasks(&self, most: usize, by: impl Fn(&Figures) -> u64) -> Vec<(TaskName, Figures)> {
        self.now
            .culprits
            .tasks
            .top(&self.earlier.culprits.tasks, most, by)
    }

    /// The namespaces with the highest figures.
    pub(crate) fn namespaces(&self, most: usize, by: impl Fn(&Figures) -> u64) -> Vec<(u32, Figures)> {
        self.now
            .culprits
            .namespaces
            .top(&self.earlier.culprits.namespaces, most, by)
    }
}
