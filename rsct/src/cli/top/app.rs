//! The state of the screen: pane, order, selection, filter, and the effect of keys.

use clap::{Args as _, Command, FromArgMatches as _};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use rsct_common::Tuple;

use super::{super::FilterArgs, terminal::Wish};
use crate::{
    causes::{Cause, tally::FlowName},
    filter::Filter,
    flow::TupleKey,
    kernel::interfaces::Names,
    message, names,
    observe::Model,
    render::top::{
        pane::{self, Pane, printable},
        screen::{HELP, View},
        table::{Subject, Table, duration},
    },
    snapshot::Interval,
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
    filter_text: String,
    filter: Option<Filter>,
    is_typing: bool,
    error: Option<String>,
    is_paused: bool,
    steps: u32,
    keeps: bool,
    has_ended: bool,
    history: Vec<u64>,
    kept: Vec<FlowName>,
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
    pub(super) fn new(title: String, ascii: bool) -> Self {
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
            filter_text: String::new(),
            filter: None,
            is_typing: false,
            error: None,
            is_paused: false,
            steps: 0,
            keeps: false,
            has_ended: false,
            history: Vec::new(),
            kept: Vec::new(),
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

    /// A key was pressed.
    pub(super) fn press(&mut self, key: KeyEvent) -> Wish {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Wish::End;
        }
        if self.is_typing {
            self.type_filter(key.code);
            return Wish::Continue;
        }
        self.error = None;
        match key.code {
            KeyCode::Char('q') => return Wish::End,
            KeyCode::Esc => self.opened = None,
            KeyCode::Char('?') => self.opened = Some(Opened::Help),
            KeyCode::Char(digit @ '1'..='9') => {
                let number = (digit as usize) - ('1' as usize);
                self.go_to(Pane::ALL[number]);
            }
            KeyCode::Tab | KeyCode::BackTab => {
                let step = if key.code == KeyCode::Tab {
                    1
                } else {
                    Pane::ALL.len() - 1
                };
                let at = Pane::ALL.iter().position(|pane| *pane == self.pane).unwrap_or(0);
                self.go_to(Pane::ALL[(at + step) % Pane::ALL.len()]);
            }
            KeyCode::Down => self.selected = (self.selected + 1).min(self.subjects.len().saturating_sub(1)),
            KeyCode::Up => self.selected = self.selected.saturating_sub(1),
            KeyCode::Char('>') => self.sort_by(1),
            KeyCode::Char('<') => self.sort_by(self.columns.saturating_sub(1)),
            KeyCode::Char('r') => self.reversed = !self.reversed,
            KeyCode::Char('p') => self.is_paused = !self.is_paused,
            KeyCode::Char('n') => self.steps += u32::from(self.is_paused),
            KeyCode::Char('k') => {
                self.keeps = !self.keeps;
                self.kept.clear();
            }
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Enter => {
                self.opened = match self.subjects.get(self.selected) {
                    Some(Subject::Flow(flow)) => Some(Opened::Flow(*flow)),
                    Some(Subject::Cause(cause)) => Some(Opened::Cause(*cause)),
                    _ => None,
                };
            }
            _ => {}
        }
        Wish::Continue
    }

    fn go_to(&mut self, pane: Pane) {
        self.pane = pane;
        self.column = None;
        self.reversed = false;
        self.selected = 0;
        self.opened = None;
    }

    fn sort_by(&mut self, step: usize) {
        if self.columns > 0 {
            let now = self.column().min(self.columns - 1);
            self.column = Some((now + step) % self.columns);
        }
    }

    fn column(&self) -> usize {
        self.column.unwrap_or_else(|| self.pane.first_column())
    }

    fn type_filter(&mut self, key: KeyCode) {
        match key {
            KeyCode::Char(c) => self.filter_text.push(c),
            KeyCode::Backspace => {
                self.filter_text.pop();
            }
            KeyCode::Esc => {
                self.is_typing = false;
                self.filter_text.clear();
                self.filter = None;
            }
            KeyCode::Enter => {
                self.is_typing = false;
                match parse(&self.filter_text) {
                    Ok(filter) => self.filter = filter,
                    Err(error) => {
                        self.filter = None;
                        self.error = Some(error);
                    }
                }
            }
            _ => {}
        }
    }

    /// Makes the table of the pane.
    pub(super) fn view(&mut self, interval: &Interval<'_>, names: &Names, model: &Model) -> Drawn {
        let mut table = self.pane.table(interval, names);
        if self.pane == Pane::Flows {
            self.keep_flows(&mut table, interval, names);
            if let Some(filter) = &self.filter {
                table.rows.retain(|row| match row.subject {
                    Subject::Flow(flow) => matches(filter, &flow, model),
                    _ => true,
                });
            }
        }
        table.sort(self.column(), self.reversed);
        self.columns = table.columns.len();
        self.subjects = table.rows.iter().map(|row| row.subject).collect();
        self.selected = self.selected.min(self.subjects.len().saturating_sub(1));
        Drawn {
            status: self.status(),
            window: self.opened.map(|opened| match opened {
                Opened::Help => HELP.to_owned(),
                Opened::Flow(flow) => of_flow(&flow, names, model),
                Opened::Cause(cause) => of_cause(cause, interval, names),
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

    fn status(&self) -> String {
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

/// Reads options of a filter; none if there are none.
fn parse(text: &str) -> Result<Option<Filter>, String> {
    let command = FilterArgs::augment_args(Command::new("filter").no_binary_name(true));
    let matches = command
        .try_get_matches_from(text.split_whitespace())
        .map_err(|error| first_line(&error.to_string()))?;
    let args = FilterArgs::from_arg_matches(&matches).map_err(|error| first_line(&error.to_string()))?;
    let filter = args.filter().map_err(|error| error.to_string())?;
    Ok((!filter.is_empty()).then_some(filter))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

fn matches(filter: &Filter, flow: &FlowName, model: &Model) -> bool {
    let known = known(flow, model);
    let orig = Tuple::from_words(flow.tuple);
    let reply = known.and_then(|flow| flow.reply_tuple()).unwrap_or(orig);
    filter.matches(&orig, &reply, flow.zone, known.map_or(0, |flow| flow.mark))
}

fn known<'a>(flow: &FlowName, model: &'a Model) -> Option<&'a crate::flow::Flow> {
    model.table.of_tuple(&TupleKey {
        netns: flow.netns,
        zone: flow.zone,
        orig: flow.tuple,
    })
}

/// The known figures of a flow.
fn of_flow(name: &FlowName, names: &Names, model: &Model) -> String {
    let mut text = pane::flow(name, names);
    match known(name, model) {
        None => text.push_str("\nIt has no entry in the table now."),
        Some(flow) => {
            let state = names::state(flow.orig_tuple().protonum, flow.state).unwrap_or("none");
            let status: Vec<&str> = names::status::names(flow.status).collect();
            text.push_str(&format!("\nstate {state}, status {}", status.join(",")));
            if let Some(left) = flow.left_s(model.now_ns()) {
                text.push_str(&format!(", expires in {left} s"));
            }
            if let Some(reply) = flow.reply_tuple() {
                let of = FlowName {
                    tuple: reply.to_words(),
                    ..*name
                };
                text.push_str(&format!("\nreply {}", pane::flow(&of, names)));
            }
        }
    }
    text.push_str(&format!("\nIts history: rsct why {}", pane::flow_words(name)));
    text
}

/// A cause, its meaning, and its flows.
fn of_cause(cause: Cause, interval: &Interval<'_>, names: &Names) -> String {
    let mut text = format!("{}: {}\n{}", cause.name(), cause.meaning(), cause.advice());
    let of = interval.now.causes.iter().find(|of| of.cause == cause);
    for (flow, count) in of.into_iter().flat_map(|of| of.flows.first(5)) {
        text.push_str(&format!("\n{count:>8}  {}", printable(&pane::flow(&flow, names))));
    }
    if let Some(p99) = interval.durations.quantile(990) {
        text.push_str(&format!("\n99 % of all packets took at most {}.", duration(p99)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pressed(keys: &str) -> App {
        let mut app = App::new("rsct top".to_owned(), false);
        for key in keys.chars() {
            let code = match key {
                '\n' => KeyCode::Enter,
                '\t' => KeyCode::Tab,
                '\u{1b}' => KeyCode::Esc,
                key => KeyCode::Char(key),
            };
            app.press(KeyEvent::new(code, KeyModifiers::NONE));
        }
        app
    }

    #[test]
    fn keys_select_panes() {
        assert_eq!(pressed("3").pane, Pane::Causes);
        assert_eq!(pressed("9\t").pane, Pane::Overview);
    }

    #[test]
    fn a_paused_screen_takes_figures_step_by_step() {
        let mut app = pressed("pnn");
        assert_eq!([(); 3].map(|()| app.takes_figures()), [true, true, false]);
        assert!(pressed("pp").takes_figures());
    }

    #[test]
    fn a_filter_is_that_of_other_commands() {
        let app = pressed("/-p tcp --dport 443\n");
        assert!(app.filter.is_some() && app.error.is_none());
        assert_eq!(app.status(), "flows: -p tcp --dport 443");
        let wrong = pressed("/--no-such 1\n");
        assert!(wrong.filter.is_none(), "{:?}", wrong.error);
        assert!(wrong.status().contains("--no-such"), "{}", wrong.status());
        assert!(pressed("/-p tcp\n/\u{1b}").filter.is_none());
    }

    #[test]
    fn only_q_and_control_c_end_it() {
        let mut app = pressed("");
        assert_eq!(
            app.press(KeyEvent::new(KeyCode::Char('q'), KeyModifiers::NONE)),
            Wish::End
        );
        assert_eq!(
            app.press(KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL)),
            Wish::End
        );
        assert_eq!(
            app.press(KeyEvent::new(KeyCode::Esc, KeyModifiers::NONE)),
            Wish::Continue
        );
    }
}
