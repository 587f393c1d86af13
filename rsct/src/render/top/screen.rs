//! One pane drawn into a terminal, with a title, rows and keys.

use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Paragraph, Wrap},
};

use super::{pane::Pane, parts, table::Table};

/// The contents of a screen.
#[derive(Clone, Debug)]
pub(crate) struct View<'a> {
    /// The pane.
    pub pane: Pane,
    /// Its table, sorted.
    pub table: &'a Table,
    /// The column that it is sorted by.
    pub column: usize,
    /// The selected row.
    pub selected: usize,
    /// The first line.
    pub title: &'a str,
    /// Recent rates of packets, the newest last.
    pub history: &'a [u64],
    /// The line above the keys: a filter, a question, an error.
    pub status: &'a str,
    /// A window above the table.
    pub window: Option<&'a str>,
    /// The lines of the window that are scrolled past.
    pub scrolled: u16,
    /// True if colours are wanted.
    pub has_colors: bool,
    /// True if only ASCII is wanted.
    pub ascii: bool,
}

/// The least size of a screen.
const LEAST: (u16, u16) = (40, 12);
/// Characters of a table's rows: a refresh is at most 8 KiB, also if each group of an IPv6 address changes and needs a move of its own.
const MOST_CHARACTERS: usize = 2900;
const KEYS: &str =
    "1-9 pane  < > sort  r reverse  / filter  p pause  n step  k keep  Enter open  ? help  q quit";
const FEW_KEYS: &str = "1-9 pane  < > sort  ? help  q quit";

/// The text of the window that `?` opens.
pub(crate) const HELP: &str = "\
1 to 9, Tab     another pane
Up, Down        select a row, or scroll this window
< and >         sort by the column to the left or right
r               reverse the order
/               filter: options as of rsct list, such as -p tcp --dport 443
p               pause or continue
n               one interval more, while paused
k               keep flows that sent nothing or are closed
Enter           open the selected flow or cause
Esc             close this window
q, Ctrl-C       end";

/// Draws it.
pub(crate) fn draw(frame: &mut Frame<'_>, view: &View<'_>) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let text = format!(
            "rsct top needs {} columns and {} lines; this terminal has {} and {}.",
            LEAST.0, LEAST.1, area.width, area.height
        );
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), area);
        return;
    }
    let [title, panes, body, status, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(area);
    let [title, history] =
        Layout::horizontal([Constraint::Min(1), Constraint::Length(area.width / 4)]).areas(title);
    frame.render_widget(Paragraph::new(plain(view, view.title)), title);
    let bars = parts::bars(view.history, usize::from(history.width), view.ascii);
    frame.render_widget(
        Paragraph::new(Span::styled(bars, view.color(Color::Cyan))),
        history,
    );
    frame.render_widget(Paragraph::new(names(view, area.width)), panes);
    frame.render_widget(Paragraph::new(rows(view, body)), body);
    frame.render_widget(Paragraph::new(plain(view, view.status)), status);
    let keys_text = if usize::from(area.width) < KEYS.len() {
        FEW_KEYS
    } else {
        KEYS
    };
    frame.render_widget(
        Paragraph::new(Span::styled(keys_text, Style::new().add_modifier(Modifier::DIM))),
        keys,
    );
    if let Some(text) = view.window {
        parts::window(frame, text, view, body);
    }
}

impl View<'_> {
    fn color(&self, color: Color) -> Style {
        match self.has_colors {
            true => Style::new().fg(color),
            false => Style::new(),
        }
    }
}

/// With `--ascii` without any other character.
pub(super) fn plain(view: &View<'_>, text: &str) -> String {
    match view.ascii {
        true => text.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect(),
        false => text.to_owned(),
    }
}

/// The names of the panes, shortened to their numbers if the screen is narrow.
fn names(view: &View<'_>, width: u16) -> Line<'static> {
    let long: usize = Pane::ALL.iter().map(|pane| pane.name().len() + 4).sum();
    let span = |(number, pane): (usize, &Pane)| {
        let is_shown = *pane == view.pane;
        let text = match is_shown || usize::from(width) >= long {
            true => format!("{} {}", number + 1, pane.name()),
            false => format!("{}", number + 1),
        };
        let style = match is_shown {
            true => Style::new().add_modifier(Modifier::REVERSED),
            false => Style::new(),
        };
        [Span::styled(text, style), Span::raw("  ")]
    };
    Pane::ALL
        .iter()
        .enumerate()
        .flat_map(span)
        .collect::<Vec<_>>()
        .into()
}

fn rows(view: &View<'_>, area: Rect) -> Vec<Line<'static>> {
    let table = view.table;
    if table.rows.is_empty() {
        return vec![Line::raw(table.empty)];
    }
    let widths = fitted(table, usize::from(area.width));
    let header = table
        .header(&widths)
        .into_iter()
        .enumerate()
        .flat_map(|(column, text)| {
            let mut style = Style::new().add_modifier(Modifier::BOLD);
            if column == view.column {
                style = style.add_modifier(Modifier::UNDERLINED);
            }
            [Span::styled(cut(&text, widths[column]), style), Span::raw("  ")]
        });
    let mut lines = vec![Line::from(header.collect::<Vec<_>>())];
    let line = widths.iter().sum::<usize>() + 2 * widths.len();
    let height = usize::from(area.height)
        .saturating_sub(1)
        .min(MOST_CHARACTERS / line.max(1))
        .max(1);
    let first = view.selected.saturating_sub(height - 1);
    for (index, row) in table.rows.iter().enumerate().skip(first).take(height) {
        let cells = table.aligned(&widths, row);
        let text: Vec<String> = cells
            .iter()
            .zip(&widths)
            .map(|(cell, width)| cut(cell, *width))
            .collect();
        let style = match index == view.selected {
            true => Style::new().add_modifier(Modifier::REVERSED),
            false => Style::new(),
        };
        lines.push(Line::styled(plain(view, &text.join("  ")), style));
    }
    lines
}

/// The widths of the columns: the first gives way to numbers, the last text to the edge.
fn fitted(table: &Table, width: usize) -> Vec<usize> {
    const LEAST: usize = 12;
    let mut widths = table.widths();
    let too_wide = |widths: &[usize]| (widths.iter().sum::<usize>() + 2 * widths.len()).saturating_sub(width);
    let over = too_wide(&widths);
    if let Some(first) = widths.first_mut() {
        *first = first.saturating_sub(over).max(LEAST.min(*first));
    }
    widths
}

fn cut(text: &str, width: usize) -> String {
    text.chars().take(width).collect()
}

#[cfg(test)]
mod tests {
    use ratatui::{Terminal, backend::TestBackend};

    use super::{
        super::table::{Cell, Row, Subject},
        *,
    };

    fn table() -> Table {
        Table {
            columns: vec!["SOURCE", "PACKETS", "NEW"],
            rows: (0..30)
                .map(|number| Row {
                    cells: vec![
                        Cell::Text(format!("10.0.0.{number} a-rather-long-name-of-a-namespace")),
                        Cell::Count(1000 - number),
                        Cell::Count(number),
                    ],
                    subject: Subject::Nothing,
                })
                .collect(),
            empty: "Nothing.",
        }
    }

    fn drawn(width: u16, height: u16, change: impl FnOnce(&mut View<'_>)) -> String {
        let table = table();
        let mut view = View {
            pane: Pane::Sources,
            table: &table,
            column: 1,
            selected: 0,
            title: "rsct top",
            history: &[1, 2, 4, 8],
            status: "",
            window: None,
            scrolled: 0,
            has_colors: false,
            ascii: false,
        };
        change(&mut view);
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, &view)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |row: u16| -> String {
            let cells = (0..width).map(|column| buffer[(column, row)].symbol());
            cells.collect::<String>().trim_end().to_owned()
        };
        (0..height).map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn numbers_stay_on_a_narrow_screen() {
        for (width, height) in [(80, 24), (40, 12)] {
            let screen = drawn(width, height, |_| {});
            assert!(screen.contains("PACKETS  NEW"), "{screen}");
            assert!(screen.contains("   1000    0"), "{screen}");
            assert!(screen.contains("4 sources"), "{screen}");
            assert!(screen.contains("q quit"), "{screen}");
            assert!(
                screen
                    .lines()
                    .all(|line| line.chars().count() <= usize::from(width))
            );
        }
    }

    #[test]
    fn the_selected_row_is_visible() {
        let screen = drawn(80, 12, |view| view.selected = 29);
        assert!(screen.contains("10.0.0.29"), "{screen}");
    }

    #[test]
    fn a_screen_that_is_too_small_says_so() {
        let screen = drawn(30, 8, |_| {});
        assert!(screen.contains("needs 40 columns"), "{screen}");
    }

    #[test]
    fn ascii_has_no_other_character() {
        let screen = drawn(80, 24, |view| {
            view.ascii = true;
            view.window = Some(HELP);
            view.title = "größer";
        });
        assert!(screen.is_ascii(), "{screen}");
        assert!(screen.contains("another pane"), "{screen}");
    }
}
