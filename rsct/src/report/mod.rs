//! The contents of `rsct report`: totals over time, the figures of a whole recording, and its faults.

mod findings;
mod series;

pub(crate) use findings::{Finding, findings};
pub(crate) use series::{Point, Series};

use crate::{
    kernel::{interfaces::Names, interrupt},
    observe::{Consumer, Fact, Input, Summary, Want},
    snapshot::{Collector, Snapshot},
};

/// Everything that a page shows.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// The flows and figures.
    pub collector: Collector,
    /// Names of namespaces and interfaces.
    pub names: Names,
    /// Totals over time.
    pub series: Series,
    /// The time on the monotonic clock.
    pub now_ns: u64,
    /// True if the recording has no end.
    pub is_torn: bool,
}

impl Gathered {
    /// Has seen nothing yet.
    pub(crate) fn new(collector: Collector, names: Names) -> Self {
        let started_ns = collector.started_ns();
        Self {
            collector,
            names,
            series: Series::new(started_ns),
            now_ns: started_ns,
            is_torn: false,
        }
    }

    /// The figures of all of it.
    pub(crate) fn snapshot(&self) -> Snapshot {
        self.collector.snapshot(self.now_ns)
    }

    /// The closing figures.
    pub(crate) fn summary(&self) -> Summary {
        Summary::of(&self.collector.model)
    }

    fn point(&self) -> Point {
        let tables = self.collector.tables();
        Point {
            time_ns: self.now_ns,
            totals: self.collector.totals(),
            entries: tables.iter().map(|table| table.entries).sum(),
            max: match tables.is_empty() {
                true => None,
                false => tables.iter().map(|table| table.max.map(u64::from)).sum(),
            },
        }
    }
}

impl Consumer for Gathered {
    #[inline]
    fn take(&mut self, input: Input<'_>) {
        if let Input::Fact(Fact::Names(names)) = input {
            self.names.extend(names);
        }
        self.collector.take(input);
        match input {
            Input::Settled { now_ns } => {
                self.now_ns = self.now_ns.max(now_ns);
                if self.series.is_due(now_ns) {
                    let point = self.point();
                    self.series.push(point);
                }
            }
            // The collector keeps notices for a screen.
            Input::Notice(_) => drop(self.collector.notices()),
            Input::Ended(_) | Input::Cut { .. } => {
                self.is_torn = matches!(input, Input::Cut { .. });
                let point = self.point();
                self.series.push(point);
            }
            _ => {}
        }
    }

    fn is_over(&self) -> bool {
        interrupt::caught().is_some()
    }

    fn has_failed(&self) -> bool {
        false
    }

    fn lacks(&mut self) -> Option<Want> {
        None
    }
}
