//! The effect of keys.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{super::terminal::Wish, App, Opened, filter};
use crate::render::top::{pane::Pane, table::Subject};

impl App {
    /// A key was pressed.
    pub(in crate::cli::top) fn press(&mut self, key: KeyEvent) -> Wish {
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
            KeyCode::Char('?') => self.open(Some(Opened::Help)),
            KeyCode::Char(digit @ '1'..='9') => {
                let number = (digit as usize) - ('1' as usize);
                self.go_to(Pane::ALL[number]);
            }
            KeyCode::Tab => self.go_by(1),
            KeyCode::BackTab => self.go_by(Pane::ALL.len() - 1),
            KeyCode::Down if self.opened.is_some() => self.scrolled = self.scrolled.saturating_add(1),
            KeyCode::Up if self.opened.is_some() => self.scrolled = self.scrolled.saturating_sub(1),
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
            KeyCode::Enter => self.open(match self.subjects.get(self.selected) {
                Some(Subject::Flow(flow)) => Some(Opened::Flow(*flow)),
                Some(Subject::Cause(cause)) => Some(Opened::Cause(*cause)),
                _ => None,
            }),
            _ => {}
        }
        Wish::Continue
    }

    fn open(&mut self, opened: Option<Opened>) {
        self.opened = opened;
        self.scrolled = 0;
    }

    fn go_by(&mut self, step: usize) {
        let at = Pane::ALL.iter().position(|pane| *pane == self.pane).unwrap_or(0);
        self.go_to(Pane::ALL[(at + step) % Pane::ALL.len()]);
    }

    fn go_to(&mut self, pane: Pane) {
        self.pane = pane;
        self.column = None;
        self.reversed = false;
        self.selected = 0;
        self.open(None);
    }

    fn sort_by(&mut self, step: usize) {
        if self.columns > 0 {
            let now = self.column().min(self.columns - 1);
            self.column = Some((now + step) % self.columns);
        }
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
                match filter::parse(&self.filter_text) {
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
}
