//! Causes between two readings of their counts.

use std::collections::HashMap;

use rsct_common::record::{CauseCount, CauseKey, CauseRecord};

use crate::{
    causes::{KeyCount, ProgramsState, counters::KernelCounters, tally::CauseTotals},
    kernel::text::Symbols,
    observe::{AllCounts, Counted, Ended},
};

/// Records after a reading that are kept until the next; further ones are added at once.
const MOST_PENDING: usize = 1 << 16;

/// All counts at a reading.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    pub(super) time_ns: u64,
    pub(super) counts: Vec<KeyCount>,
    pub(super) counters: KernelCounters,
    pub(super) unread: Option<String>,
    pub(super) programs: ProgramsState,
    /// What the trace had lost.
    pub(super) trace: Ended,
}

/// The first and the last reading, and the causes recorded between.
#[derive(Debug, Default)]
pub(super) struct Readings {
    /// All that was read.
    pub(super) all: AllCounts,
    /// Counts that records show.
    of_records: HashMap<CauseKey, CauseCount>,
    first: Option<Reading>,
    last: Option<Reading>,
    /// The causes recorded between the first and the last reading.
    totals: CauseTotals,
    /// The causes recorded since the last reading.
    pending: Vec<CauseRecord>,
    /// The requested time of the first reading.
    from_ns: u64,
}

impl Readings {
    /// Begins with the reading nearest to this time.
    pub(super) fn from(from_ns: u64) -> Self {
        Self {
            from_ns,
            ..Self::default()
        }
    }

    /// Adds a cause. Its count follows with the next reading.
    pub(super) fn record(&mut self, record: &CauseRecord, symbols: &Symbols) {
        if self.first.is_none() {
            return;
        }
        if self.pending.len() >= MOST_PENDING {
            self.add_pending(symbols);
        }
        self.pending.push(*record);
    }

    /// Adds a cause, and counts it.
    pub(super) fn count(&mut self, record: &CauseRecord, symbols: &Symbols) {
        let count = self.of_records.entry(record.key()).or_insert(CauseCount {
            count: 0,
            text: record.text,
        });
        count.count += 1;
        self.record(record, symbols);
    }

    /// Adds a reading. `is_counted` selects the keys whose count is used.
    pub(super) fn read(
        &mut self,
        counted: &Counted,
        is_counted: impl Fn(&CauseKey) -> bool,
        symbols: &Symbols,
        trace: &Ended,
    ) {
        self.all.add(counted);
        if counted.repeated {
            return;
        }
        let exact = self.all.counts.iter().filter(|(key, _)| is_counted(key));
        let counts = exact.chain(&self.of_records).map(|(key, count)| KeyCount {
            key: *key,
            count: *count,
        });
        let reading = Reading {
            time_ns: counted.time_ns,
            counts: counts.collect(),
            counters: self.all.counters.clone(),
            unread: self.all.unread.clone(),
            programs: self.all.programs.clone(),
            trace: trace.clone(),
        };
        if self.is_first(reading.time_ns) {
            self.totals = CauseTotals::default();
            self.pending.clear();
            self.first = Some(reading);
            self.last = None;
        } else {
            self.add_pending(symbols);
            self.last = Some(reading);
        }
    }

    /// Returns whether the window begins with a reading at this time, and not with an earlier one.
    fn is_first(&self, time_ns: u64) -> bool {
        let Some(first) = &self.first else { return true };
        if time_ns <= self.from_ns {
            return true;
        }
        let is_next = self.last.is_none() && first.time_ns < self.from_ns;
        is_next && time_ns - self.from_ns < self.from_ns - first.time_ns
    }

    fn add_pending(&mut self, symbols: &Symbols) {
        for record in self.pending.drain(..) {
            self.totals.record(&record, symbols);
        }
    }

    /// The first and the last reading, and the totals between.
    pub(super) fn between(&self, symbols: &Symbols) -> Option<(&Reading, &Reading, CauseTotals)> {
        let (first, last) = (self.first.as_ref()?, self.last.as_ref()?);
        let mut totals = self.totals.clone();
        totals.counted(&last.counts, &first.counts, symbols);
        Some((first, last, totals))
    }
}
