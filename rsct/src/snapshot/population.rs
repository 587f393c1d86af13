//! The number of entries by namespace, zone, protocol and state.

use std::collections::BTreeMap;

use crate::flow::{Class, FlowTable};

/// Numbers of entries in the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Population(BTreeMap<Class, i64>);

impl Population {
    /// Counts the entries of a table, which a dump has just confirmed.
    pub(crate) fn of(table: &FlowTable) -> Self {
        let mut population = Self::default();
        for flow in table.flows().filter(|flow| flow.is_confirmed()) {
            population.add(Class::of(flow), 1);
        }
        for (class, count) in table.silent() {
            population.add(class, i64::try_from(count).unwrap_or(i64::MAX));
        }
        population
    }

    /// Adds entries, or takes them away.
    pub(crate) fn add(&mut self, class: Class, count: i64) {
        let entry = self.0.entry(class).or_default();
        *entry += count;
        if *entry == 0 {
            self.0.remove(&class);
        }
    }

    /// An entry's state changed.
    pub(crate) fn changed(&mut self, class: Class, from: u8) {
        self.add(Class { state: from, ..class }, -1);
        self.add(class, 1);
    }

    /// Each class with its number. A class whose insertions were lost may have less than none until the next dump: it is
    /// omitted.
    pub(crate) fn classes(&self) -> impl Iterator<Item = (Class, u64)> + '_ {
        self.0
            .iter()
            .filter_map(|(class, count)| Some((*class, u64::try_from(*count).ok()?)))
    }

    /// The number of entries by namespace.
    pub(crate) fn by_netns(&self) -> BTreeMap<u32, u64> {
        let mut counts = BTreeMap::new();
        for (class, count) in self.classes() {
            *counts.entry(class.netns).or_default() += count;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYN: Class = Class {
        netns: 1,
        zone: 0,
        protonum: 6,
        state: 1,
    };

    #[test]
    fn entries_come_change_and_go() {
        let mut population = Population::default();
        population.add(SYN, 2);
        let established = Class { state: 3, ..SYN };
        population.changed(established, 1);
        assert_eq!(
            population.classes().collect::<Vec<_>>(),
            [(SYN, 1), (established, 1)]
        );
        population.add(established, -1);
        assert_eq!(population.by_netns(), BTreeMap::from([(1, 1)]));
    }

    #[test]
    fn a_lost_insertion_leaves_no_negative_number() {
        let mut population = Population::default();
        population.add(SYN, -1);
        assert_eq!(population.classes().count(), 0);
        population.add(SYN, 1);
        assert_eq!(population, Population::default());
    }
}
