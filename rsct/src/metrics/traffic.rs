//! Packets, bytes and created entries by namespace and by source, which grow from snapshot to snapshot.

use std::collections::BTreeMap;

use crate::snapshot::{Figures, Leaders, Snapshot, Totals};

use super::{
    namespaces::{Label, Namespaces},
    sources::Sources,
};

/// The totals by label.
#[derive(Debug)]
pub(crate) struct Traffic {
    by_label: BTreeMap<Label, Figures>,
    /// Created entries by source.
    pub sources: Sources,
    totals: Totals,
    earlier: Leaders<u32>,
    /// Since when it counts, in seconds since 1970.
    pub since: f64,
}

impl Traffic {
    /// Counts from now on, with at most this number of sources.
    pub(crate) fn new(most_sources: usize, since: f64) -> Self {
        Self {
            by_label: BTreeMap::new(),
            sources: Sources::new(most_sources),
            totals: Totals::default(),
            earlier: Leaders::default(),
            since,
        }
    }

    /// Adds what has grown since the last snapshot. `at` is the time in seconds since 1970.
    pub(crate) fn grow(&mut self, now: &Snapshot, at: f64, namespaces: &Namespaces) {
        let total = now.totals.since(&self.totals);
        let mut own = Figures::default();
        for (inode, grown) in now.culprits.namespaces.top(&self.earlier, usize::MAX, |_| 0) {
            let label = namespaces.of(inode);
            if label != Label::Other {
                self.by_label.entry(label).or_default().add(&grown);
                own.add(&grown);
            }
        }
        let all = Figures {
            packets: total.packets,
            bytes: total.bytes,
            created: total.created,
            cost_ns: own.cost_ns,
        };
        let others = all.since(&own);
        if !others.are_zero() {
            // No namespace has this inode number: with a single label it has that.
            self.by_label.entry(namespaces.of(0)).or_default().add(&others);
        }
        let sources = &now.culprits.sources;
        self.sources.grow(sources, total.created, at, namespaces);
        self.totals = now.totals;
        self.earlier.clone_from(&now.culprits.namespaces);
    }

    /// The figures by label.
    pub(crate) fn by_label(&self) -> impl Iterator<Item = (Label, &Figures)> {
        self.by_label.iter().map(|(label, figures)| (*label, figures))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(of: &[(u32, u64)]) -> Snapshot {
        let mut now = Snapshot::default();
        for (inode, packets) in of {
            let figures = Figures {
                packets: *packets,
                ..Figures::default()
            };
            now.culprits.namespaces.add(*inode, &figures);
            now.totals.packets += packets;
        }
        now
    }

    #[test]
    fn packets_of_namespaces_without_a_label_are_summed() {
        let mut all = Namespaces::all();
        all.exist(0, [(1, "host")].into_iter());
        let mut traffic = Traffic::new(1, 0.0);
        traffic.grow(&snapshot(&[(1, 5), (2, 3)]), 0.0, &all);
        traffic.grow(&snapshot(&[(1, 6), (2, 3), (3, 10)]), 1.0, &all);
        let packets: Vec<(Label, u64)> = traffic
            .by_label()
            .map(|(label, figures)| (label, figures.packets))
            .collect();
        assert_eq!(packets, [(Label::Own(0), 6), (Label::Other, 13)]);
    }
}
