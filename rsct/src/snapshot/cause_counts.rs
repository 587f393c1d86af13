//! The counts of causes: the kernel's own where its programs count, else numbers of records.

use std::collections::{HashMap, VecDeque};

use rsct_common::{
    TupleWords,
    record::{CauseFamily, CauseKey},
};

use crate::{
    causes::{Cause, Evidence, Why, tally::FlowName, top::Top},
    kernel::text::Symbols,
    observe::{Counted, Fact},
};

/// Examples of each cause: the last ones.
const EXAMPLES: usize = 20;
/// The programs count a cause before its record, and both while a reading is taken: a record this soon after the reading may
/// be in it already. The next reading has it in any case.
const SLACK_NS: u64 = 20_000_000;

/// A cause's total.
#[derive(Clone, Debug)]
pub(crate) struct OfCause {
    /// The cause.
    pub cause: Cause,
    /// Its occurrences: the kernel's count up to the last reading, and the records since; without a reading its records.
    pub count: u64,
    /// True if the kernel counts it: lost records do not change its count.
    pub by_kernel: bool,
    /// Its flows, as far as there are records.
    pub flows: Top<FlowName>,
    /// Its last records.
    pub examples: VecDeque<Why>,
    /// The kernel's count at the last reading.
    counted: u64,
    /// Its records.
    recorded: u64,
}

/// The totals of the causes that occurred.
#[derive(Debug, Default)]
pub(super) struct CauseCounts {
    /// In the order of their first occurrence.
    pub(super) causes: Vec<OfCause>,
    places: HashMap<Cause, usize>,
    /// The last reading of each key.
    read: HashMap<CauseKey, u64>,
    read_ns: u64,
    symbols: Symbols,
    /// True if INVALID packets are counted by their records.
    leaves_packets: bool,
    /// True if every record is selected, so that the kernel's counts are of the same packets and entries.
    has_all: bool,
    /// Keeps examples.
    keeps_examples: bool,
}

impl OfCause {
    /// A cause that has not occurred.
    fn new(cause: Cause) -> Self {
        Self {
            cause,
            count: 0,
            by_kernel: false,
            flows: Top::default(),
            examples: VecDeque::new(),
            counted: 0,
            recorded: 0,
        }
    }

    /// The name of the way in which it is counted.
    pub(crate) fn counted_by(&self) -> &'static str {
        match self.by_kernel {
            true => "kernel",
            false => "records",
        }
    }
}

impl CauseCounts {
    /// Counts of all causes, or of selected ones.
    pub(super) fn new(has_all: bool) -> Self {
        Self {
            has_all,
            ..Self::default()
        }
    }

    /// Keeps the last records of each cause from now on.
    pub(super) fn keep_examples(&mut self) {
        self.keeps_examples = true;
    }

    /// Adds a record.
    pub(super) fn record(&mut self, why: &Why) {
        let (keeps, read_ns) = (self.keeps_examples, self.read_ns);
        let of = self.of_mut(why.cause);
        of.recorded += 1;
        if !of.by_kernel {
            of.count = of.recorded;
        } else if why.record.time_ns > read_ns + SLACK_NS {
            of.count += 1;
        }
        if why.record.tuple != TupleWords::default() {
            of.flows.add(FlowName {
                netns: why.record.netns,
                zone: why.record.zone,
                tuple: why.record.tuple,
            });
        }
        if keeps {
            if of.examples.len() == EXAMPLES {
                of.examples.pop_front();
            }
            of.examples.push_back(why.clone());
        }
    }

    /// Adds a reading of the kernel's counts.
    pub(super) fn counted(&mut self, counted: &Counted) {
        if let Some(programs) = &counted.programs {
            self.leaves_packets = programs.leaves_packets;
        }
        for of in &counted.counts {
            let before = self.read.insert(of.key, of.count.count).unwrap_or(0);
            let is_of_packets = self.leaves_packets && of.key.family == CauseFamily::Invalid as u8;
            let grown = of.count.count.saturating_sub(before);
            // A file of a recording begins with the counts of earlier files.
            if counted.repeated || !self.has_all || is_of_packets || grown == 0 {
                continue;
            }
            let evidence = Evidence {
                key: &of.key,
                text: &of.count.text,
            };
            let cause = Cause::of(&evidence, &self.symbols).filter(|cause| !cause.is_ordinary());
            if let Some(cause) = cause {
                let of = self.of_mut(cause);
                of.by_kernel = true;
                of.counted += grown;
            }
        }
        if counted.repeated {
            return;
        }
        self.read_ns = counted.time_ns;
        for of in self.causes.iter_mut().filter(|of| of.by_kernel) {
            of.count = of.counted;
        }
    }

    /// The programs were detached: the next ones count from zero.
    pub(super) fn detached(&mut self) {
        self.read.clear();
    }

    /// Takes the names of functions.
    pub(super) fn fact(&mut self, fact: &Fact) {
        if let Fact::Symbols(symbols) = fact {
            symbols.add_to(&mut self.symbols);
        }
    }

    /// A cause, which may not have occurred yet.
    pub(super) fn of_mut(&mut self, cause: Cause) -> &mut OfCause {
        let Self { causes, places, .. } = self;
        let index = *places.entry(cause).or_insert_with(|| {
            causes.push(OfCause::new(cause));
            causes.len() - 1
        });
        &mut causes[index]
    }
}

#[cfg(test)]
mod tests {
    use rsct_common::record::{CauseCount, CauseRecord, TEXT_BYTES, what};
    use zerocopy::FromZeros as _;

    use super::*;
    use crate::causes::{KeyCount, ProgramsState};

    fn key() -> CauseKey {
        CauseKey {
            family: CauseFamily::Full as u8,
            what: what::FULL_REFUSED,
            ..CauseKey::default()
        }
    }

    fn reading(time_ns: u64, count: u64) -> Counted {
        Counted {
            time_ns,
            counts: vec![KeyCount {
                key: key(),
                count: CauseCount {
                    count,
                    text: [0; TEXT_BYTES],
                },
            }],
            programs: Some(ProgramsState::default()),
            ..Counted::default()
        }
    }

    fn recorded(time_ns: u64) -> Why {
        let record = CauseRecord {
            family: key().family,
            what: key().what,
            time_ns,
            ..CauseRecord::new_zeroed()
        };
        Why::of(&record, &Symbols::default()).unwrap()
    }

    fn shown(counts: &CauseCounts) -> Vec<(u64, &str)> {
        let each = |of: &OfCause| (of.count, of.counted_by());
        counts.causes.iter().map(each).collect()
    }

    #[test]
    fn the_kernel_counts_what_records_lack() {
        let mut counts = CauseCounts::new(true);
        counts.record(&recorded(1));
        assert_eq!(shown(&counts), [(1, "records")]);
        counts.counted(&reading(100, 7));
        assert_eq!(shown(&counts), [(7, "kernel")]);
        counts.record(&recorded(101));
        assert_eq!(shown(&counts), [(7, "kernel")], "may be in the reading");
        counts.record(&recorded(101 + SLACK_NS));
        assert_eq!(shown(&counts), [(8, "kernel")]);
        counts.counted(&reading(200 + SLACK_NS, 9));
        assert_eq!(shown(&counts), [(9, "kernel")]);
    }

    #[test]
    fn programs_that_are_attached_again_count_from_zero() {
        let mut counts = CauseCounts::new(true);
        counts.counted(&reading(100, 7));
        counts.detached();
        counts.counted(&reading(200, 2));
        assert_eq!(shown(&counts), [(9, "kernel")]);
    }

    #[test]
    fn counts_of_earlier_files_and_of_other_flows_are_left_out() {
        let mut counts = CauseCounts::new(true);
        counts.counted(&Counted {
            repeated: true,
            ..reading(50, 5)
        });
        counts.counted(&reading(100, 7));
        assert_eq!(shown(&counts), [(2, "kernel")]);
        let mut selected = CauseCounts::new(false);
        selected.counted(&reading(100, 7));
        selected.record(&recorded(101));
        assert_eq!(shown(&selected), [(1, "records")]);
    }

    #[test]
    fn examples_are_the_last_ones() {
        let mut counts = CauseCounts::new(true);
        counts.keep_examples();
        for time_ns in 0..50 {
            counts.record(&recorded(time_ns));
        }
        let times: Vec<u64> = counts.causes[0]
            .examples
            .iter()
            .map(|why| why.record.time_ns)
            .collect();
        assert_eq!((times.len(), times[0], times[19]), (EXAMPLES, 30, 49));
    }
}
