//! Topics answered from cause counters.

use rsct_common::record::CauseFamily;

use crate::{
    causes::{
        Cause, Unseen,
        counters::{self, CounterCheck, KernelCounters},
        tally::CauseTotals,
    },
    probe::{cause_hooks, proof::Unproven},
};

/// A topic answered from cause counters.
#[derive(Clone, Copy)]
pub(crate) struct Topic {
    /// Name on the command line.
    pub(crate) name: &'static str,
    /// The counted events, in the singular and in the plural: `packet is …`, `packets are …`.
    pub(crate) things: [&'static str; 2],
    /// The families of its causes.
    pub(crate) families: &'static [CauseFamily],
    /// Returns whether the topic reports a cause.
    pub(crate) shows: fn(Cause) -> bool,
}

impl Topic {
    /// Returns whether its causes include those of a family, as records name it.
    pub(super) fn has_family(&self, family: u8) -> bool {
        self.families.iter().any(|known| *known as u8 == family)
    }

    /// Compares the totals with the growth of the kernel's counters.
    pub(super) fn compare(
        &self,
        totals: &CauseTotals,
        before: &KernelCounters,
        after: &KernelCounters,
    ) -> Vec<(CauseFamily, CounterCheck)> {
        let grown = after.since(before);
        let mut held: Vec<(CauseFamily, CounterCheck)> = Vec::new();
        for family in self.families {
            for comparison in counters::comparisons(*family) {
                if held.iter().all(|(_, known)| known.what != comparison.what) {
                    held.push((*family, comparison.check(totals, &grown, after)));
                }
            }
        }
        held
    }
}

/// The reason why a family's count may be incomplete.
pub(super) fn cannot_count(
    family: CauseFamily,
    unproven: Option<&Unproven>,
    unseen: &[Unseen],
) -> Option<String> {
    if let Some(unproven) = unproven {
        return Some(unproven.to_string());
    }
    let hooks = cause_hooks::of(&[family]);
    let missing = unseen
        .iter()
        .find(|unseen| hooks.iter().any(|hook| hook.function == unseen.function))?;
    Some(format!("rsct is not attached to {}", missing.function))
}
