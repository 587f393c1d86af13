//! Hooks that have not fired although a dump shows that their operation took place: the compiler may have inlined the
//! function.

use std::{fmt, io};

use crate::{
    flow::reconcile::{DifferenceKind, Reconciliation},
    kernel::clock,
    plural,
    render::bytes::json_line,
    schema::{tag, trace::UnfiredHooks},
};

use super::{join::Counts, output::Output};

/// The functions that report inserted entries.
const INSERTING: &[&str] = &["__nf_conntrack_confirm", "nf_conntrack_hash_check_insert"];
/// The functions that report deleted entries.
const DELETING: &[&str] = &["nf_ct_delete"];

/// Hooks that have not fired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfired {
    /// Their functions.
    pub functions: &'static [&'static str],
    /// Entries that were inserted or deleted without a record.
    pub entries: usize,
}

impl Unfired {
    /// The hooks that dumps and records show so far.
    fn of(counts: &Counts, found: &Reconciliation) -> Vec<Self> {
        let entries = |kind| {
            let of_kind = found
                .differences
                .iter()
                .filter(|difference| difference.kind == kind);
            of_kind.count()
        };
        [
            (INSERTING, counts.inserted, entries(DifferenceKind::OnlyInDump)),
            (DELETING, counts.deleted, entries(DifferenceKind::OnlyFromProbe)),
        ]
        .into_iter()
        .filter(|(_, records, entries)| *records == 0 && *entries != 0)
        .map(|(functions, _, entries)| Self { functions, entries })
        .collect()
    }
}

impl fmt::Display for Unfired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = plural::count(self.entries as u64, "entry", "entries");
        let change = match self.functions == DELETING {
            true => "left the table",
            false => "appeared in the table",
        };
        let functions = self.functions.join(" and ");
        write!(
            f,
            "{entries} {change}, but the hooks of {functions} have not fired"
        )
    }
}

/// Reports hooks that were not reported before.
pub(super) fn report<W: io::Write>(
    known: &mut Vec<Unfired>,
    counts: &Counts,
    found: &Reconciliation,
    output: &mut Output<W>,
) -> io::Result<()> {
    for unfired in Unfired::of(counts, found) {
        if known.iter().any(|known| known.functions == unfired.functions) {
            continue;
        }
        if output.is_json() {
            let line = UnfiredHooks {
                r#type: tag::Unfired,
                time_ns: clock::monotonic_ns(),
                functions: unfired.functions,
                entries: unfired.entries,
            };
            output.line(|out| json_line(out, &line))?;
        } else {
            message!("{unfired}");
        }
        known.push(unfired);
    }
    Ok(())
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
        let unfired = Unfired::of(&Counts::default(), table.reconciliation());
        let texts: Vec<String> = unfired.iter().map(ToString::to_string).collect();
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
        assert_eq!(Unfired::of(&counts, table(&[1], &[2]).reconciliation()), []);
        assert_eq!(
            Unfired::of(&Counts::default(), table(&[1], &[1]).reconciliation()),
            []
        );
    }
}
