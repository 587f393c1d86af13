//! The contents of `rsct report`: figures over time and of a whole recording, its faults, and the comparison of two.

pub(crate) mod compare;
mod findings;
mod series;

pub(crate) use findings::{Finding, Weight, findings, sentence};
#[cfg(test)]
pub(crate) use series::MOST;
pub(crate) use series::{Fullest, Point, Series, State, Values};

use crate::{
    kernel::{interfaces::Names, interrupt},
    observe::{Consumer, Fact, Input, Notice, Summary, Want},
    records::HookCounts,
    snapshot::{Collector, Snapshot},
};

/// The hooks of the recorder.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hooks {
    /// Those of packets and entries; none if the recording has no such notice.
    pub trace: Option<HookCounts>,
    /// Those of causes; none if causes were not recorded.
    pub causes: Option<HookCounts>,
}

/// Everything that a page shows.
#[derive(Debug)]
pub(crate) struct Gathered {
    /// The flows and figures.
    pub collector: Collector,
    /// Names of namespaces and interfaces.
    pub names: Names,
    /// Figures over time.
    pub series: Series,
    /// The time on the monotonic clock.
    pub now_ns: u64,
    /// True if the recording has no end.
    pub is_torn: bool,
    /// True if it was read up to a time before its end.
    pub is_part: bool,
    /// The damage of its files.
    pub damage: Vec<String>,
    /// The hooks of the recorder.
    pub hooks: Hooks,
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
            is_part: false,
            damage: Vec::new(),
            hooks: Hooks::default(),
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

    /// The files were read: without damage, a stream without an end is a part of a recording.
    pub(crate) fn set_damage(&mut self, damage: Vec<String>) {
        self.is_part = self.is_torn && damage.is_empty();
        self.is_torn &= !damage.is_empty();
        self.damage = damage;
    }

    fn point(&self) -> Point {
        let tables = self.collector.tables();
        let fullest = tables
            .iter()
            .filter_map(|table| {
                Some(Fullest {
                    netns: table.netns,
                    entries: table.entries,
                    max: u64::from(table.max.filter(|max| *max > 0)?),
                })
            })
            .max_by(|a, b| a.percent().total_cmp(&b.percent()));
        let mut point = Point {
            time_ns: self.now_ns,
            totals: self.collector.totals(),
            entries: tables.iter().map(|table| table.entries).sum(),
            fullest,
            causes: self.collector.causes().iter().map(|of| of.count).collect(),
            durations: self.collector.durations().clone(),
            ..Point::default()
        };
        point.set_states(self.collector.population());
        point
    }

    fn notice(&mut self, notice: &Notice) {
        match notice {
            Notice::Started { hooks, .. } => self.hooks.trace = Some(*hooks),
            Notice::Causes { hooks } => self.hooks.causes = Some(*hooks),
            _ => {}
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
            Input::Notice(notice) => {
                // The collector keeps notices for a screen.
                drop(self.collector.notices());
                self.notice(notice);
            }
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
