//! The counts of causes of a part.

use std::collections::HashMap;

use rsct_common::record::{CauseCount, CauseKey, CauseRecord};

use crate::{
    causes::KeyCount,
    observe::{Chosen, Counted},
};

/// The number of kept causes, in place of those of all flows.
#[derive(Debug, Default)]
pub(super) struct Counts(HashMap<CauseKey, CauseCount>);

impl Counts {
    /// A cause is kept.
    pub(super) fn add(&mut self, record: &CauseRecord) {
        let count = self.0.entry(record.key()).or_insert(CauseCount {
            count: 0,
            text: record.text,
        });
        count.count += 1;
    }

    /// A reading as the part has it: with a filter, the numbers of kept causes.
    pub(super) fn of_part(&self, counted: &Counted, chosen: &Chosen) -> Counted {
        let mut kept = counted.clone();
        if !chosen.filter.is_empty() {
            let counts = self.0.iter();
            kept.counts = counts
                .map(|(key, count)| KeyCount {
                    key: *key,
                    count: *count,
                })
                .collect();
            kept.counters = None;
            kept.unread = None;
        } else if let Some(netns) = chosen.netns {
            kept.counts.retain(|counted| counted.key.netns == netns);
            if let Some(counters) = &mut kept.counters {
                counters.namespaces.retain(|(of, _)| *of == netns);
                counters.max_entries.retain(|(of, _)| *of == netns);
            }
        }
        kept
    }
}
