//! Inputs: everything that a source reports, in order. A recording is a sequence of inputs.

use std::{collections::HashSet, time::Duration};

use serde::{Deserialize, Serialize};

use crate::{
    flow::{
        TupleKey,
        reconcile::{Coverage, DumpedEntry},
    },
    latency::Measured,
    records::Record,
};

use super::{Counted, Ended, Fact, Notice, Want};

/// One input.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input<'a> {
    /// A record. That of a cause precedes the records that [`super::may_have_cause`] of it.
    Record(Record<'a>),
    /// A dump begins.
    DumpBegins {
        /// The time on the monotonic clock.
        now_ns: u64,
    },
    /// One entry of the dump.
    Dumped {
        /// The entry.
        entry: &'a DumpedEntry,
        /// The time on the monotonic clock, at the earliest that of reading the entry.
        now_ns: u64,
    },
    /// The dump ends; all records until now were reported.
    DumpEnds {
        /// The time on the monotonic clock.
        now_ns: u64,
        /// The namespaces that it covers; none if the trace ended before.
        covered: Option<&'a Covered>,
        /// The number of records lost until now.
        lost: u64,
    },
    /// A fact.
    Fact(&'a Fact),
    /// The counts of causes and the kernel's counters. Records of what they contain were reported before, and few others.
    Counted(&'a Counted),
    /// All records of operations that ended before this time were reported.
    Settled {
        /// The time on the monotonic clock.
        now_ns: u64,
    },
    /// Durations that the source measures next to the records.
    Latency(Measured<'a>),
    /// The stream changed.
    Notice(&'a Notice),
    /// The last input.
    Ended(&'a Ended),
    /// The last input of a stream that broke off.
    Cut {
        /// The duration until then.
        elapsed: Duration,
    },
}

/// Consumes inputs.
pub(crate) trait Consumer {
    /// Takes one input.
    fn take(&mut self, input: Input<'_>);

    /// Returns whether it needs no more records.
    fn is_over(&self) -> bool;

    /// Returns whether it can take no more.
    fn has_failed(&self) -> bool;

    /// Returns whether it needs a dump now.
    fn wants_dump(&self) -> bool {
        false
    }

    /// Returns whether it needs the counts of causes: when their programs are attached, then every second, and at the end.
    fn wants_counts(&self) -> bool {
        false
    }

    /// Returns whether it needs causes now. Their programs are attached while it does, and a little longer.
    fn wants_causes(&self) -> bool {
        true
    }

    /// Returns an entry that it needs, once. The source then reports it as an entry of a dump, if the table has it.
    fn lacks_entry(&mut self) -> Option<TupleKey> {
        None
    }

    /// Returns a fact that the last input needs, once. The source then reports that fact before further records, unless it
    /// takes too long.
    fn lacks(&mut self) -> Option<Want>;
}

/// The namespaces that a dump covers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Covered {
    /// True if all namespaces were to be dumped.
    pub is_all: bool,
    /// Those that could be opened.
    pub opened: HashSet<u32>,
    /// Those whose dump is complete.
    pub whole: HashSet<u32>,
}

impl Covered {
    /// The dump's coverage of a namespace.
    pub(crate) fn of(&self, netns: u32) -> Coverage {
        if self.whole.contains(&netns) {
            Coverage::Whole
        } else if self.is_all && !self.opened.contains(&netns) {
            Coverage::Unreached
        } else {
            Coverage::Incomplete
        }
    }
}
