//! The closing figures: records read and records lost.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    flow::{FlowTable, differences::DifferenceKind},
    records::{Lost, Skips},
};

use super::{Counts, Doubt, Model, Unfired};

/// The closing figures of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Summary {
    /// The duration.
    pub elapsed: Duration,
    /// Numbers of records, by kind.
    pub counts: Counts,
    /// Records that the eBPF programs lost, per CPU and kind.
    pub lost: Lost,
    /// eBPF programs that the kernel skipped because one was already running on that CPU.
    pub skips: Skips,
    /// Causes that were lost, or missed because the kernel skipped programs.
    pub causes_lost: u64,
    /// True if there may be more: this kernel does not count skipped kprobes.
    pub causes_lost_uncounted: bool,
    /// Malformed records.
    pub malformed: u64,
    /// Flows known at the end: only from dumps, only from probes, from both.
    pub known: [usize; 3],
    /// Number of dumps.
    pub dumps: u32,
    /// Differences between the two sources, by kind.
    pub differences: Vec<(&'static str, usize)>,
    /// Namespaces that no name or file makes reachable for a dump, and the number of flows that probes know in each.
    pub unreached: BTreeMap<u32, usize>,
    /// Failed dumps.
    pub dump_errors: Vec<String>,
    /// Why records may be missing that no counter shows.
    pub doubt: Option<Doubt>,
    /// Hooks that have not fired although a dump shows that they should have.
    pub unfired: Vec<Unfired>,
}

impl Summary {
    /// The figures of a model at its end.
    pub(crate) fn of(model: &Model) -> Self {
        let reconciliation = model.table.reconciliation();
        let ended = model.ended.clone();
        Self {
            elapsed: ended.elapsed,
            counts: model.counts,
            lost: ended.lost,
            skips: ended.skips,
            causes_lost: ended.causes_lost,
            causes_lost_uncounted: ended.causes_lost_uncounted,
            malformed: ended.malformed,
            known: known(&model.table),
            dumps: reconciliation.dumps,
            differences: DifferenceKind::ALL
                .into_iter()
                .map(|kind| (kind.name(), reconciliation.differences.count(kind)))
                .filter(|(_, count)| *count != 0)
                .collect(),
            unreached: reconciliation.unreached.clone(),
            dump_errors: ended.dump_errors,
            doubt: ended.doubt,
            unfired: model.unfired.clone(),
        }
    }

    /// The loss of all kinds.
    pub(crate) fn lost_total(&self) -> u64 {
        self.lost.total() + self.skips.counted + self.malformed
    }
}

/// Numbers of flows known only from dumps, only from probes, and from both.
fn known(table: &FlowTable) -> [usize; 3] {
    let mut known = [0; 3];
    for flow in table.flows() {
        known[match (flow.from_dump, flow.from_probe) {
            (true, false) => 0,
            (false, _) => 1,
            (true, true) => 2,
        }] += 1;
    }
    known
}
