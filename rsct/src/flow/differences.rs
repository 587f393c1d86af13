//! Differences between the table and dumps: all are counted, and the first are kept.

use super::store::Flow;

/// One difference between the table and a dump.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Difference {
    /// Kind of difference.
    pub kind: DifferenceKind,
    /// The flow, from the source that has it.
    pub flow: Flow,
}

/// Kind of difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DifferenceKind {
    /// The dump has it, and no record reported it.
    OnlyInDump,
    /// Records reported it, the dump does not have it, and it has not expired.
    OnlyFromProbe,
    /// Both have it, with different statuses.
    Status,
}

impl DifferenceKind {
    /// All kinds.
    pub(crate) const ALL: [Self; 3] = [Self::OnlyInDump, Self::OnlyFromProbe, Self::Status];

    /// The name in output and documentation.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OnlyInDump => "only_in_dump",
            Self::OnlyFromProbe => "only_from_probe",
            Self::Status => "status",
        }
    }
}

/// The maximum number of differences kept: a week's recording may have any number.
const MOST: usize = 10_000;

/// The differences found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Differences {
    kept: Vec<Difference>,
    counts: [usize; DifferenceKind::ALL.len()],
}

impl Differences {
    /// Adds one.
    pub(super) fn add(&mut self, kind: DifferenceKind, flow: Flow) {
        self.counts[kind as usize] += 1;
        if self.kept.len() < MOST {
            self.kept.push(Difference { kind, flow });
        }
    }

    /// Adds some without their flows.
    pub(super) fn add_unkept(&mut self, kind: DifferenceKind, entries: usize) {
        self.counts[kind as usize] += entries;
    }

    /// The number of one kind.
    pub(crate) fn count(&self, kind: DifferenceKind) -> usize {
        self.counts[kind as usize]
    }

    /// The first ones.
    pub(crate) fn kept(&self) -> &[Difference] {
        &self.kept
    }

    /// The number of those that were not kept.
    pub(crate) fn unkept(&self) -> usize {
        self.counts.iter().sum::<usize>() - self.kept.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::store::{FlowKey, PolicyOf, Store, TupleKey};

    #[test]
    fn all_are_counted_and_the_first_are_kept() {
        let mut store = Store::new();
        let key = TupleKey {
            netns: 1,
            zone: 0,
            orig: [1; 5],
        };
        let index = store.add(FlowKey::default(), key, PolicyOf::NONE);
        let flow = *store.live_mut(index);
        let mut found = Differences::default();
        for number in 0..MOST + 7 {
            let kind = match number {
                0 => DifferenceKind::Status,
                _ => DifferenceKind::OnlyInDump,
            };
            found.add(kind, flow);
        }
        assert_eq!((found.kept().len(), found.unkept()), (MOST, 7));
        assert_eq!(found.kept()[0].kind, DifferenceKind::Status);
        let counts = DifferenceKind::ALL.map(|kind| found.count(kind));
        assert_eq!(counts, [MOST + 6, 0, 1]);
    }
}
