//! The figures of the eBPF programs, which a scrape reads between two records.

use std::{
    cell::{Ref, RefCell},
    rc::Rc,
};

use crate::{
    latency::{Measured, Reading},
    observe::{Consumer, Input, Notice, Selection, Setup, Want},
    records::{HookCounts, Lost},
    snapshot::Collector,
};

/// The figures, shared with the exporter.
#[derive(Clone, Debug)]
pub(super) struct Traced(Rc<RefCell<Figures>>);

/// The figures so far.
#[derive(Debug)]
pub(super) struct Figures {
    /// Those of a snapshot.
    pub collector: Collector,
    /// Lost records.
    pub lost: Lost,
    /// Runs of programs that the kernel skipped.
    pub skipped: u64,
    /// Lost causes.
    pub causes_lost: u64,
    /// Attached hooks.
    pub hooks: HookCounts,
    /// False if the kernel does not run the attached programs.
    pub run: bool,
    /// Durations of functions.
    pub calls: Option<Reading>,
    /// The last time on the monotonic clock.
    pub now_ns: u64,
}

impl Traced {
    /// Has seen nothing yet of a table with this number of entries.
    pub(super) fn new(setup: &Setup, entries: usize) -> Self {
        Self(Rc::new(RefCell::new(Figures {
            collector: Collector::new(setup, Selection::default()).without_flows(entries),
            lost: Lost::default(),
            skipped: 0,
            causes_lost: 0,
            hooks: HookCounts::default(),
            run: true,
            calls: None,
            now_ns: setup.started_ns,
        })))
    }

    /// The figures so far.
    pub(super) fn figures(&self) -> Ref<'_, Figures> {
        self.0.borrow()
    }
}

impl Figures {
    fn pass_on_notices(&mut self) {
        for notice in self.collector.notices() {
            match &notice {
                Notice::Started { hooks, .. } => self.hooks = *hooks,
                Notice::Loss { losses, skipped, .. } => {
                    self.lost.clone_from(losses);
                    self.skipped = *skipped;
                }
                Notice::CausesLost { total } => self.causes_lost = *total,
                Notice::Programs { run, .. } => self.run = run.unwrap_or(self.run),
                _ => {}
            }
            // Losses are metrics: under overload, a message for each would fill the log.
            if let Notice::Programs { .. } | Notice::Unfired { .. } | Notice::NoCauses = notice {
                crate::render::top::notice_message(&notice);
            }
        }
    }
}

impl Consumer for Traced {
    #[inline]
    fn take(&mut self, input: Input<'_>) {
        let mut figures = self.0.borrow_mut();
        figures.collector.take(input);
        match input {
            Input::Notice(_) | Input::DumpEnds { .. } => figures.pass_on_notices(),
            Input::Settled { now_ns } => figures.now_ns = now_ns,
            Input::Latency(Measured::Snapshot(snapshot)) => figures.calls = Some(snapshot.reading.clone()),
            _ => {}
        }
    }

    fn is_over(&self) -> bool {
        false
    }

    fn has_failed(&self) -> bool {
        false
    }

    fn lacks(&mut self) -> Option<Want> {
        None
    }

    fn wants_counts(&self) -> bool {
        true
    }
}
