//! The kernel's counters with 64 bits: its own have 32 on each CPU, wrap around, and begin at 0 when nf_conntrack is reloaded.

use std::collections::{BTreeMap, HashMap};

use crate::netlink::stats::{self, Cpu, Table};

use super::namespaces::{Label, Namespaces};

/// The counters of a namespace at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct NamespaceReading {
    /// Its inode number.
    pub inode: u32,
    /// Its name.
    pub name: String,
    /// The use of the table.
    pub table: Table,
    /// The counters of each CPU.
    pub cpus: Vec<Cpu>,
}

/// The use of a table, or of several together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Use {
    /// Entries.
    pub entries: u64,
    /// Their limit, if the kernel sends it.
    pub limit: Option<u64>,
}

/// Totals of counters by number.
pub(crate) type Stats = BTreeMap<u16, u64>;

/// The counters so far.
#[derive(Debug)]
pub(crate) struct KernelCounts {
    /// The labels.
    pub namespaces: Namespaces,
    last: HashMap<u32, Vec<Cpu>>,
    totals: BTreeMap<Label, Stats>,
    uses: BTreeMap<Label, Use>,
    restarts: u64,
    read_errors: u64,
}

impl KernelCounts {
    /// Has read nothing yet.
    pub(crate) fn new(namespaces: Namespaces) -> Self {
        Self {
            namespaces,
            last: HashMap::new(),
            totals: BTreeMap::new(),
            uses: BTreeMap::new(),
            restarts: 0,
            read_errors: 0,
        }
    }

    /// Adds a reading of all namespaces. A namespace that is missing in it was deleted.
    pub(crate) fn read(&mut self, now_ns: u64, readings: &[NamespaceReading]) {
        let present = readings.iter().map(|of| (of.inode, of.name.as_str()));
        let labelled = self.namespaces.exist(now_ns, present);
        let mut last = std::mem::take(&mut self.last);
        self.uses.clear();
        for of in readings {
            let before = last.remove(&of.inode);
            let is_first = before.is_none();
            let mut grown = match &before {
                None => of.cpus.clone(),
                Some(before) => stats::since(&of.cpus, before).unwrap_or_else(|| {
                    self.restarts += 1;
                    of.cpus.clone()
                }),
            };
            let label = self.namespaces.of(of.inode);
            // The label begins with the kernel's value; `other` keeps the growth until now.
            if labelled.contains(&of.inode) && !is_first {
                grown.clone_from(&of.cpus);
            }
            let totals = self.totals.entry(label).or_default();
            for (number, growth) in stats::total(&grown) {
                *totals.entry(number).or_default() += growth;
            }
            let sum = self.uses.entry(label).or_default();
            sum.entries += u64::from(of.table.entries);
            if let Some(limit) = of.table.max_entries {
                *sum.limit.get_or_insert_default() += u64::from(limit);
            }
            self.last.insert(of.inode, of.cpus.clone());
        }
    }

    /// A reading failed, at least in part.
    pub(crate) fn failed(&mut self) {
        self.read_errors += 1;
    }

    /// The totals by label.
    pub(crate) fn totals(&self) -> impl Iterator<Item = (Label, &Stats)> {
        self.totals.iter().map(|(label, stats)| (*label, stats))
    }

    /// The use of tables by label.
    pub(crate) fn uses(&self) -> impl Iterator<Item = (Label, Use)> + '_ {
        self.uses.iter().map(|(label, of)| (*label, *of))
    }

    /// The totals and the use of one label.
    pub(crate) fn of(&self, label: Label) -> (Option<&Stats>, Option<Use>) {
        (self.totals.get(&label), self.uses.get(&label).copied())
    }

    /// Times that counters began again.
    pub(crate) fn restarts(&self) -> u64 {
        self.restarts
    }

    /// Failed readings.
    pub(crate) fn read_errors(&self) -> u64 {
        self.read_errors
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(super) fn reading(inode: u32, name: &str, cpus: &[&[(u16, u32)]]) -> NamespaceReading {
        NamespaceReading {
            inode,
            name: name.to_owned(),
            table: Table {
                entries: 3,
                max_entries: Some(10),
            },
            cpus: (0..)
                .zip(cpus)
                .map(|(cpu, counters)| Cpu {
                    cpu,
                    counters: counters.to_vec(),
                })
                .collect(),
        }
    }

    fn single() -> KernelCounts {
        KernelCounts::new(Namespaces::single(""))
    }

    fn invalid(of: &KernelCounts) -> u64 {
        of.of(Label::Own(0)).0.unwrap()[&4]
    }

    #[test]
    fn counters_begin_with_the_kernels_value_and_wrap_around() {
        let mut counts = single();
        counts.read(0, &[reading(1, "a", &[&[(4, u32::MAX - 1)], &[(4, 5)]])]);
        assert_eq!(invalid(&counts), u64::from(u32::MAX) + 4);
        counts.read(1, &[reading(1, "a", &[&[(4, 1)], &[(4, 7)]])]);
        assert_eq!(invalid(&counts), u64::from(u32::MAX) + 4 + 3 + 2);
        assert_eq!(counts.restarts(), 0);
        let used = counts.of(Label::Own(0)).1.unwrap();
        assert_eq!((used.entries, used.limit), (3, Some(10)));
    }

    #[test]
    fn a_reloaded_module_leaves_the_totals_growing() {
        let mut counts = single();
        counts.read(0, &[reading(1, "a", &[&[(4, 1000)]])]);
        counts.read(1, &[reading(1, "a", &[&[(4, 7)]])]);
        assert_eq!((invalid(&counts), counts.restarts()), (1007, 1));
        counts.read(2, &[reading(1, "a", &[&[(4, 9)]])]);
        assert_eq!((invalid(&counts), counts.restarts()), (1009, 1));
    }

    #[test]
    fn namespaces_without_a_label_are_summed_and_leave_nothing_behind() {
        let mut counts = KernelCounts::new(Namespaces::all());
        counts.read(0, &[reading(1, "host", &[&[(4, 1)]])]);
        for number in 1..500_u32 {
            let short = reading(number + 1, &format!("short{number}"), &[&[(4, 2)]]);
            counts.read(u64::from(number), &[reading(1, "host", &[&[(4, 1)]]), short]);
        }
        assert_eq!(counts.last.len(), 2);
        assert_eq!(counts.totals.len(), 2);
        assert_eq!(counts.of(Label::Other).0.unwrap()[&4], 499 * 2);
    }

    #[test]
    fn a_label_that_comes_later_begins_with_the_kernels_value() {
        let mut counts = KernelCounts::new(Namespaces::all());
        counts.read(0, &[reading(1, "host", &[&[(4, 1)]])]);
        counts.read(
            1,
            &[reading(1, "host", &[&[(4, 1)]]), reading(2, "late", &[&[(4, 5)]])],
        );
        counts.read(
            61_000_000_000,
            &[reading(1, "host", &[&[(4, 1)]]), reading(2, "late", &[&[(4, 8)]])],
        );
        let late = counts.namespaces.of(2);
        assert_eq!(counts.of(late).0.unwrap()[&4], 8);
        assert_eq!(counts.of(Label::Other).0.unwrap()[&4], 5);
    }

    proptest! {
        #[test]
        fn totals_are_the_sum_of_all_growth(growth in prop::collection::vec((0..1u64 << 30, 0..1u64 << 30), 1..40)) {
            let (mut one, mut two) = (0u64, 0u64);
            let mut counts = single();
            for (at, (more, also)) in (0..).zip(growth) {
                one += more;
                two += also;
                counts.read(at, &[reading(1, "a", &[&[(4, one as u32)], &[(4, two as u32)]])]);
                // The first reading has what the kernel still knows: 32 bits of each CPU.
                prop_assert_eq!(invalid(&counts), one + two);
            }
        }
    }
}
