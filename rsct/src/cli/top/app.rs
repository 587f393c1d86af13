//! The state of the screen, and the view that it shows.

mod filter;
mod keys;
mod replies;
#[cfg(test)]
mod tests;

use self::replies::Replies;
use crate::{
    causes::{Cause, tally::FlowName},
    filter::Filter,
    flow::TupleKey,
    kernel::interfaces::Names,
    message,
    render::top::{
        opened,
        pane::{self, Pane},
        screen::{HELP, View},
        table::{Subject, Table, duration},
    },
    snapshot::{Collector, Interval},
};

/// Intervals of the history.
const HISTORY: usize = 120;
/// Silent flows that are kept.
const MOST_KEPT: usize = 200;

/// The state of the screen.
#[derive(Debug)]
pub(super) struct App {
    title: String,
    ascii: bool,
    pane: Pane,
    column: Option<usize>,
    reversed: bool,
    selected: usize,
    /// The rows' subjects as they were drawn last.
    subjects: Vec<Subject>,
    columns: usize,
    opened: Option<Opened>,
    scrolled: u16,
    filter_text: String,
    filter: Option<Filter>,
    is_typing: bool,
    error: Option<String>,
    is_paused: bool,
    steps: u32,
    keeps: bool,
    has_ended: bool,
    /// True if eBPF programs are attached as the screen needs them.
    is_live: bool,
    history: Vec<u64>,
    kept: Vec<FlowName>,
    replies: Replies,
}

/// An open window.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Opened {
    Help,
    Flow(FlowName),
    Cause(Cause),
}

/// The parts of a view that are made for it.
#[derive(Debug)]
pub(super) struct Drawn {
    table: Table,
    status: String,
    window: Option<String>,
}

impl App {
    /// Shows the overview.
    pub(super) fn new(title: String, ascii: bool, is_live: bool) -> Self {
        Self {
            title,
            ascii,
            pane: Pane::Overview,
            column: None,
            reversed: false,
            selected: 0,
            subjects: Vec::new(),
            columns: 0,
            opened: None,
            scrolled: 0,
            filter_text: String::new(),
            filter: None,
            is_typing: false,
            error: None,
            is_paused: false,
            steps: 0,
            keeps: false,
            has_ended: false,
            is_live,
            history: Vec::new(),
            kept: Vec::new(),
            replies: Replies::default(),
        }
    }

    /// An interval has passed.
    pub(super) fn passed(&mut self, interval: &Interval<'_>) {
        if self.history.len() == HISTORY {
            self.history.remove(0);
        }
        self.history.push(interval.totals.packets);
    }

    /// Returns whether the next figures are to be drawn.
    pub(super) fn takes_figures(&mut self) -> bool {
        if self.is_paused && self.steps == 0 {
            return false;
        }
        self.steps = self.steps.saturating_sub(1);
        true
    }

    /// The recording has ended.
    pub(super) fn end(&mut self) {
        self.has_ended = true;
    }

    /// Returns whether a visible part shows causes.
    pub(super) fn needs_causes(&self) -> bool {
        self.pane == Pane::Causes || matches!(self.opened, Some(Opened::Flow(_) | Opened::Cause(_)))
    }

    /// Returns an entry whose reply direction a visible part needs, once.
    pub(super) fn lacks_entry(&mut self) -> Option<TupleKey> {
        self.replies.next().filter(|_| self.is_live)
    }

    fn column(&self) -> usize {
        self.column.unwrap_or_else(|| self.pane.first_column())
    }

    /// Makes the table of the pane.
    pub(super) fn view(&mut self, interval: &Interval<'_>, names: &Names, of: &Collector) -> Drawn {
        let mut table = self.pane.table(interval, names, self.column());
        if let Some(Opened::Flow(flow)) = &self.opened {
            self.replies.need(flow, of);
        }
        if self.pane == Pane::Flows {
            self.keep_flows(&mut table, interval, names);
            if let Some(filter) = &self.filter {
                for row in &table.rows {
                    if let Subject::Flow(flow) = &row.subject {
                        self.replies.need(flow, of);
                    }
                }
                table.rows.retain(|row| match row.subject {
                    Subject::Flow(flow) => filter::matches(filter, &flow, of),
                    _ => true,
                });
            }
        }
        table.sort(self.column(), self.reversed);
        self.columns = table.columns.len();
        self.subjects = table.rows.iter().map(|row| row.subject).collect();
        self.selected = self.selected.min(self.subjects.len().saturating_sub(1));
        Drawn {
            status: self.status(interval),
            window: self.opened.map(|opened| match opened {
                Opened::Help => HELP.to_owned(),
                Opened::Flow(flow) => opened::flow(&flow, names, of),
                Opened::Cause(cause) => opened::cause(cause, interval, names, of),
            }),
            table,
        }
    }

    /// The view of a made table.
    pub(super) fn shown<'a>(&'a self, drawn: &'a Drawn) -> View<'a> {
        View {
            pane: self.pane,
            table: &drawn.table,
            column: self.column(),
            selected: self.selected,
            title: &self.title,
            history: &self.history,
            status: &drawn.status,
            window: drawn.window.as_deref(),
            scrolled: self.scrolled,
            has_colors: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            ascii: self.ascii,
        }
    }

    /// Adds the flows of earlier intervals that sent nothing in this one.
    fn keep_flows(&mut self, table: &mut Table, interval: &Interval<'_>, names: &Names) {
        if !self.keeps {
            return;
        }
        for (flow, _) in interval.flows(MOST_KEPT, |figures| figures.packets) {
            if self.kept.len() < MOST_KEPT && !self.kept.contains(&flow) {
                self.kept.push(flow);
            }
        }
        for flow in &self.kept {
            if table.rows.iter().all(|row| row.subject != Subject::Flow(*flow)) {
                table.rows.push(pane::silent_flow(flow, names));
            }
        }
    }

    fn status(&self, interval: &Interval<'_>) -> String {
        if self.is_typing {
            return format!("filter of flows: {}_", self.filter_text);
        }
        if let Some(error) = &self.error {
            return error.clone();
        }
        let mut parts = Vec::new();
        if self.has_ended {
            parts.push("the recording ends here".to_owned());
        }
        if self.is_paused {
            parts.push("paused".to_owned());
        }
        if self.is_live && self.needs_causes() {
            parts.push(match interval.now.causes_since_ns {
                None => "the programs that count causes are being attached".to_owned(),
                Some(since_ns) => {
                    let counted_ns = interval.now.time_ns.saturating_sub(since_ns);
                    format!("causes are counted for {}", duration(counted_ns))
                }
            });
        }
        if self.keeps {
            parts.push("silent flows are kept".to_owned());
        }
        if self.filter.is_some() {
            parts.push(format!("flows: {}", self.filter_text));
        }
        if parts.is_empty()
            && let Some(message) = message::last_held()
        {
            parts.push(message);
        }
        parts.join(", ")
    }
}
