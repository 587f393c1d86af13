//! Hooks that have not fired although a dump shows that their operation took place: the compiler may have inlined the
//! function.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    flow::{differences::DifferenceKind, reconcile::Reconciliation},
    plural,
};

use super::Counts;

/// Hooks that have not fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unfired {
    /// The change that they should have reported.
    pub change: Change,
    /// The number of entries that changed without a record.
    pub entries: usize,
}

/// A change of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    /// Entries were inserted.
    Inserted,
    /// Entries were deleted.
    Deleted,
}

impl Unfired {
    /// The hooks that dumps and records show so far.
    pub(super) fn of(counts: &Counts, found: &Reconciliation) -> impl Iterator<Item = Self> {
        let entries = |kind| found.differences.count(kind);
        [
            (
                Change::Inserted,
                counts.inserted,
                entries(DifferenceKind::OnlyInDump),
            ),
            (
                Change::Deleted,
                counts.deleted,
                entries(DifferenceKind::OnlyFromProbe),
            ),
        ]
        .into_iter()
        .filter(|(_, records, entries)| *records == 0 && *entries != 0)
        .map(|(change, _, entries)| Self { change, entries })
    }

    /// The functions of the hooks.
    pub(crate) fn functions(self) -> &'static [&'static str] {
        match self.change {
            Change::Inserted => &["__nf_conntrack_confirm", "nf_conntrack_hash_check_insert"],
            Change::Deleted => &["nf_ct_delete"],
        }
    }
}

impl fmt::Display for Unfired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = plural::count(self.entries as u64, "entry", "entries");
        let change = match self.change {
            Change::Deleted => "left the table",
            Change::Inserted => "appeared in the table",
        };
        let functions = self.functions().join(" and ");
        write!(
            f,
            "{entries} {change}, but the hooks of {functions} have not fired"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        flow::{
            FlowTable, TupleKey,
            reconcile::{Coverage, DumpedEntry},
        },
        names::status,
    };

    fn entry(number: u64) -> DumpedEntry {
        DumpedEntry {
            key: TupleKey {
                netns: 1,
                zone: 0,
                orig: [number; 5],
            },
            reply: [0; 5],
            status: status::CONFIRMED,
            state: 0,
            mark: 0,
            timeout_seconds: Some(1000),
        }
    }

    /// After a first dump with `before`, a second has `after`.
    fn table(before: &[u64], after: &[u64]) -> FlowTable {
        let mut table = FlowTable::new(250);
        for (begun_ns, numbers) in [(1, before), (20, after)] {
            table.begin_dump(begun_ns, begun_ns == 1);
            for number in numbers {
                table.dumped(&entry(*number), begun_ns + 1);
            }
            table.end_dump(begun_ns + 2, |_| Coverage::Whole);
        }
        table
    }

    #[test]
    fn entries_without_any_record_show_that_hooks_did_not_fire() {
        let table = table(&[1], &[2, 3]);
        let counts = Counts::default();
        let unfired = Unfired::of(&counts, table.reconciliation());
        let texts: Vec<String> = unfired.map(|unfired| unfired.to_string()).collect();
        assert_eq!(
            texts,
            [
                "2 entries appeared in the table, but the hooks of __nf_conntrack_confirm and \
                 nf_conntrack_hash_check_insert have not fired",
                "1 entry left the table, but the hooks of nf_ct_delete have not fired",
            ]
        );
    }

    #[test]
    fn a_hook_that_fired_once_is_not_named() {
        let counts = Counts {
            inserted: 1,
            deleted: 1,
            ..Counts::default()
        };
        let unfired =
            |counts: &Counts, after| Unfired::of(counts, table(&[1], &[after]).reconciliation()).count();
        assert_eq!(unfired(&counts, 2), 0);
        assert_eq!(unfired(&Counts::default(), 1), 0);
    }
}
